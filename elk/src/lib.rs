//! Elasticsearch's setup and the shipper's configuration, embedded from this folder's files for the local runner and
//! the tests, the generators of Kibana's saved objects and of Grafana's dashboard, and the objectives with the generator of
//! their rules.

mod elasticsearch;
pub mod grafana;
pub mod kibana;
pub mod objectives;

pub use elasticsearch::{
    ALERTS_TEMPLATE_NAME, AUDIT_INDEX_PATTERN, AUDIT_TEMPLATE_NAME, ILM_POLICY_NAME, INDEX_PATTERN,
    INDEX_TEMPLATE_NAME, READ_BY_SUPPORT, ROLES, SEARCH_LOG_CONFIGURATION, alerts_template, audit_template,
    component_templates, ilm_policy, index_of, index_template, retention_template, roles_file,
};

/// rsyslog's configuration that ships records to Elasticsearch. Its head lists the environment variables that it reads.
pub const SHIPPER_CONFIGURATION: &str = include_str!("../rsyslog/rsyslog.conf");
