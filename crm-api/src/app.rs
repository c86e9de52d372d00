//! What the CRM's handlers can use.

use std::sync::Arc;

use axum::extract::FromRef;
use common::state::Core;
use shop_orders::Creations;

use crate::orders::deadlines::Deadlines;

#[derive(Clone, FromRef)]
pub(crate) struct App {
    /// What every service has.
    pub(crate) core: Core,
    /// Creates orders.
    pub(crate) creations: Creations,
    /// How long is too long.
    pub(crate) deadlines: Arc<Deadlines>,
}
