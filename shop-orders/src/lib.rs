//! Orders in the shop's database, and the use cases that shop and CRM have in common: create, upload the model, set the
//! status, show.

pub mod commands;
mod creations;
mod details;
pub mod store;
mod viewer;

use sqlx::migrate::Migrator;

pub use creations::Creations;
pub use details::OrderDetails;
pub use viewer::Viewer;

/// The shop's tables, beside those that every database has.
#[must_use]
pub fn migrations() -> Migrator {
    sqlx::migrate!()
}
