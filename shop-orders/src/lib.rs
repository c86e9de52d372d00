//! Orders in the shop's database, and what shop and CRM both do with them: create, upload the model, submit, show.
//!
//! The two services share the database, so they share this: [`store`] has the queries, [`commands`] what an employee or a
//! customer asks for, with its rules, its records and its answers.

pub mod commands;
pub mod store;

use common::domain::{Change, Order};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use utoipa::ToSchema;

/// The shop's tables, beside those that every database has.
#[must_use]
pub fn migrations() -> Migrator {
    sqlx::migrate!()
}

/// An order with all that is known about it.
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
