//! The catalogue of the log record: its events, fields and error types, and the services that write it.
//!
//! The services write these names, and Elasticsearch's mapping, Kibana's searches and `docs/dictionary.md` use them.
//! Tests compare all of them.

pub mod action;
pub mod dictionary;
pub mod error_type;
pub mod field;
mod names;
pub mod record;
mod service;

pub use action::Action;
pub use error_type::ErrorType;
pub use service::Service;

/// The statuses of an order, in their order: the values of [`field::ORDER_STATUS`].
pub const ORDER_STATUSES: [&str; 10] = [
    "INITIATED",
    "FILE_UPLOADED",
    "SUBMITTED",
    "PRICE_CALCULATED",
    "MANUFACTURING_APPROVED",
    "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED",
    "PACKAGING",
    "SHIPPED",
    "CLOSED",
];
