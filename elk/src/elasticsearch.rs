//! What Elasticsearch is set up with: templates, retention and roles, read from the JSON files of this crate.

use serde_json::Value;

/// Every index that records go to.
pub const INDEX_PATTERN: &str = "alexandrite-*";

/// Path in Elasticsearch: `PUT _index_template/alexandrite`.
pub const INDEX_TEMPLATE_NAME: &str = "alexandrite";

/// Path in Elasticsearch: `PUT _index_template/alexandrite-alerts`.
pub const ALERTS_TEMPLATE_NAME: &str = "alexandrite-alerts";

/// Path in Elasticsearch: `PUT _ilm/policy/alexandrite`.
pub const ILM_POLICY_NAME: &str = "alexandrite";

/// Name and body of each role, from the file of its name. The bodies serve the role API (`PUT _security/role/NAME`) and
/// the file realm alike.
pub const ROLES: [(&str, &str); 5] = [
    ("apm-server", include_str!("../elasticsearch/roles/apm-server.json")),
    ("elastalert", include_str!("../elasticsearch/roles/elastalert.json")),
    ("logstash", include_str!("../elasticsearch/roles/logstash.json")),
    ("shipper", include_str!("../elasticsearch/roles/shipper.json")),
    ("support", include_str!("../elasticsearch/roles/support.json")),
];

/// Name and body of each component template that every system needs: `PUT _component_template/NAME`.
///
/// Load them before [`index_template`], which is composed of them.
pub fn component_templates() -> impl Iterator<Item = (&'static str, Value)> {
    [("alexandrite-mappings", embedded(include_str!("../elasticsearch/mappings.json")))].into_iter()
}

/// Name and body of the component template that ties the indices to [`ilm_policy`]. Only for an Elasticsearch with the
/// ILM module: without it the setting is refused, and the index template does without this part.
#[must_use]
pub fn retention_template() -> (&'static str, Value) {
    ("alexandrite-retention", embedded(include_str!("../elasticsearch/retention.json")))
}

/// Body of the policy that deletes indices after 180 days: `PUT _ilm/policy/`[`ILM_POLICY_NAME`].
#[must_use]
pub fn ilm_policy() -> Value {
    embedded(include_str!("../elasticsearch/ilm-policy.json"))
}

/// Body of the index template: `PUT _index_template/`[`INDEX_TEMPLATE_NAME`].
#[must_use]
pub fn index_template() -> Value {
    embedded(include_str!("../elasticsearch/index-template.json"))
}

/// Body of the index template for what ElastAlert notes, alerts above all: `PUT _index_template/`[`ALERTS_TEMPLATE_NAME`].
#[must_use]
pub fn alerts_template() -> Value {
    embedded(include_str!("../elasticsearch/alerts-template.json"))
}

/// The file realm's `roles.yml`: [`ROLES`], one line each. YAML takes JSON as it is.
#[must_use]
pub fn roles_file() -> String {
    ROLES.iter().map(|(name, body)| format!("{name}: {}\n", embedded(body))).collect()
}

fn embedded(json: &str) -> Value {
    serde_json::from_str(json).expect("the crate's own JSON files parse: a test reads each of them")
}
