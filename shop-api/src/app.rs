//! What the shop's handlers can use.

use axum::extract::FromRef;
use common::state::Core;
use shop_orders::Creations;

#[derive(Clone, FromRef)]
pub(crate) struct App {
    /// What every service has.
    pub(crate) core: Core,
    /// Creates orders.
    pub(crate) creations: Creations,
}
