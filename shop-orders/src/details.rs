//! An order with its history.

use common::domain::{Change, Order};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order with its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderDetails {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Why no price could be calculated, if so.
    pub price_failure: Option<String>,
    /// Every change of its status, the oldest first.
    pub history: Vec<Change>,
}
