//! The log record as every part of the system knows it: what events and fields are called, and what each record promises.
//!
//! The services write these names, Elasticsearch's mapping and Kibana's searches use them, people read
//! `docs/dictionary.md`; tests hold all of them together.

pub mod action;
pub mod dictionary;
pub mod error_type;
pub mod field;
pub mod record;
mod service;

pub use action::Action;
pub use error_type::ErrorType;
pub use service::Service;

/// Where an order can stand, one after the other: the values of [`field::ORDER_STATUS`].
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
