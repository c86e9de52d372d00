//! An order as shop and CRM return it, with its texts in the caller's language.

use common::domain::{Change, Language, Localize, Notice, Order};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order with its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderDetails {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Why no price could be calculated, if so.
    pub price_failure: Option<Notice>,
    /// Every change of its status, the oldest first.
    pub history: Vec<Change>,
}

impl Localize for OrderDetails {
    fn localize(&mut self, language: Language) {
        self.order.localize(language);
        self.price_failure.localize(language);
    }
}
