//! Elasticsearch's setup: templates, retention and roles, from the JSON files of this crate.

use serde_json::Value;
use time::Date;

/// The pattern of all indices of records.
pub const INDEX_PATTERN: &str = "alexandrite-*";

/// The index of a service's records of a day, in UTC. With `*` as the service, the pattern of those of all services.
#[must_use]
pub fn index_of(service: &str, day: Date) -> String {
    format!("alexandrite-{service}-{:04}.{:02}.{:02}", day.year(), u8::from(day.month()), day.day())
}

/// The index template's name: `PUT _index_template/alexandrite`.
pub const INDEX_TEMPLATE_NAME: &str = "alexandrite";

/// The name of ElastAlert's index template: `PUT _index_template/alexandrite-alerts`.
pub const ALERTS_TEMPLATE_NAME: &str = "alexandrite-alerts";

/// The name of the index template for the records of searches: `PUT _index_template/alexandrite-audit`.
pub const AUDIT_TEMPLATE_NAME: &str = "alexandrite-audit";

/// The pattern of all indices of the records of searches.
pub const AUDIT_INDEX_PATTERN: &str = "alexandrite-audit-*";

/// The indices of records that Support reads, as a role's pattern: all but those of the searches.
pub const READ_BY_SUPPORT: &str = "/alexandrite-.*&~(alexandrite-audit-.*)/";

/// The policy's name: `PUT _ilm/policy/alexandrite`.
pub const ILM_POLICY_NAME: &str = "alexandrite";

/// The name and body of each role. The body fits both the role API (`PUT _security/role/NAME`) and the file realm.
pub const ROLES: [(&str, &str); 6] = [
    ("apm-server", include_str!("../elasticsearch/roles/apm-server.json")),
    ("auditor", include_str!("../elasticsearch/roles/auditor.json")),
    ("elastalert", include_str!("../elasticsearch/roles/elastalert.json")),
    ("logstash", include_str!("../elasticsearch/roles/logstash.json")),
    ("shipper", include_str!("../elasticsearch/roles/shipper.json")),
    ("support", include_str!("../elasticsearch/roles/support.json")),
];

/// The name and body of each component template that every installation needs: `PUT _component_template/NAME`.
///
/// They have to be loaded before [`index_template`], which is composed of them.
pub fn component_templates() -> impl Iterator<Item = (&'static str, Value)> {
    [("alexandrite-mappings", embedded(include_str!("../elasticsearch/mappings.json")))].into_iter()
}

/// The name and body of the component template that assigns [`ilm_policy`] to the indices. Only for an Elasticsearch
/// with the ILM module: without it the setting is rejected, and the index template ignores that this component is
/// missing.
#[must_use]
pub fn retention_template() -> (&'static str, Value) {
    ("alexandrite-retention", embedded(include_str!("../elasticsearch/retention.json")))
}

/// The body of the policy that deletes indices after 180 days: `PUT _ilm/policy/`[`ILM_POLICY_NAME`].
#[must_use]
pub fn ilm_policy() -> Value {
    embedded(include_str!("../elasticsearch/ilm-policy.json"))
}

/// The body of the index template: `PUT _index_template/`[`INDEX_TEMPLATE_NAME`].
#[must_use]
pub fn index_template() -> Value {
    embedded(include_str!("../elasticsearch/index-template.json"))
}

/// The body of the index template for ElastAlert's own indices: `PUT _index_template/`[`ALERTS_TEMPLATE_NAME`].
#[must_use]
pub fn alerts_template() -> Value {
    embedded(include_str!("../elasticsearch/alerts-template.json"))
}

/// The body of the index template for the records of searches: `PUT _index_template/`[`AUDIT_TEMPLATE_NAME`].
#[must_use]
pub fn audit_template() -> Value {
    embedded(include_str!("../elasticsearch/audit-template.json"))
}

/// What Elasticsearch's `log4j2.properties` has at its end, so that every search becomes a line of `searches.json`.
pub const SEARCH_LOG_CONFIGURATION: &str = include_str!("../elasticsearch/searches.log4j2.properties");

/// The file realm's `roles.yml`: [`ROLES`], one line each, as JSON, which is valid YAML.
#[must_use]
pub fn roles_file() -> String {
    ROLES.iter().map(|(name, body)| format!("{name}: {}\n", embedded(body))).collect()
}

fn embedded(json: &str) -> Value {
    serde_json::from_str(json).expect("the crate's own JSON files parse: a test reads each of them")
}
