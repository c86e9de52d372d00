//! The catalogue of what services say of themselves: the log record with its events, fields and error types, the metrics, and
//! the services.
//!
//! The services write these names, and Elasticsearch's mapping, Kibana's searches and `docs/dictionary.md` use them.
//! Tests compare all of them.

pub mod action;
pub mod dictionary;
pub mod error_type;
pub mod field;
pub mod metric;
mod names;
mod order_statuses;
pub mod record;
mod service;

pub use action::Action;
pub use error_type::ErrorType;
pub use metric::Metric;
pub use order_statuses::ORDER_STATUSES;
pub use service::Service;
