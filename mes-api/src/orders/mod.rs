//! Orders as operators and partners work with them.

pub(crate) mod commands;
mod finding;
mod order;
pub(crate) mod outbound;
pub(crate) mod partner_commands;
pub(crate) mod price_jobs;
pub(crate) mod price_status;
pub mod store;

pub use finding::Finding;
pub use order::{MesOrder, OrderDetails, PartnerOrder, StoredOrder};
pub use price_jobs::PriceQueue;
pub use price_status::PriceStatus;
