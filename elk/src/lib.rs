//! The log record as all parts know it: what fields and events are called, how Elasticsearch maps them, who may read
//! them, and how they get there.
//!
//! The services write these names, the runner and the containers load the files beside this crate, people read
//! `docs/dictionary.md`; tests hold all of them together.

pub mod action;
pub mod dictionary;
mod elasticsearch;
pub mod error_type;
pub mod field;
pub mod kibana;
pub mod record;

pub use action::Action;
pub use elasticsearch::{
    ALERTS_TEMPLATE_NAME, ILM_POLICY_NAME, INDEX_PATTERN, INDEX_TEMPLATE_NAME, ROLES, alerts_template,
    component_templates, ilm_policy, index_template, retention_template, roles_file,
};
pub use error_type::ErrorType;

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

/// rsyslog's configuration for shipping records to Elasticsearch; its head names the environment variables it reads.
pub const SHIPPER_CONFIGURATION: &str = include_str!("../rsyslog/rsyslog.conf");
