//! How records get to Elasticsearch, how they are kept there, and who may read them: the files beside this crate, for the
//! runner, the containers and the tests; and Kibana's dashboards, which are generated here.

mod elasticsearch;
pub mod kibana;

pub use elasticsearch::{
    ALERTS_TEMPLATE_NAME, ILM_POLICY_NAME, INDEX_PATTERN, INDEX_TEMPLATE_NAME, ROLES, alerts_template,
    component_templates, ilm_policy, index_template, retention_template, roles_file,
};

/// rsyslog's configuration for shipping records to Elasticsearch; its head names the environment variables it reads.
pub const SHIPPER_CONFIGURATION: &str = include_str!("../rsyslog/rsyslog.conf");
