//! What the MES's handlers can use.

use axum::extract::FromRef;
use common::state::Core;

use crate::orders::PriceQueue;

#[derive(Clone, FromRef)]
pub(crate) struct App {
    /// What every service has.
    pub(crate) core: Core,
    /// Prices that are to be calculated.
    pub(crate) prices: PriceQueue,
}
