//! What the auditor sees: the data view of the records of searches, and the questions that it is for.

use serde_json::{Value, json};

use crate::{
    elasticsearch::AUDIT_INDEX_PATTERN,
    kibana::{data_view, search::Search},
};

/// The data view's id in Kibana.
pub(super) const ID: &str = "alexandrite-audit";

/// Every saved search of the auditor.
pub const SEARCHES: [Search; 2] = [
    Search {
        id: "alexandrite-audit-searches",
        title: "Who has searched for what?",
        description: "Every search over the records by people, the newest first. It doesn't say which of the found \
                      records somebody has read.",
        query: "elasticsearch.querylog.query:* AND NOT user.name:\"elastalert\"",
        columns: &[
            "user.name",
            "elasticsearch.querylog.type",
            "elasticsearch.querylog.indices",
            "elasticsearch.querylog.query",
            "elasticsearch.querylog.result_count",
            "event.outcome",
            "event.duration",
        ],
        newest_first: true,
    },
    Search {
        id: "alexandrite-audit-accounts",
        title: "Which accounts and roles were set up?",
        description: "Changes of accounts and roles in Elasticsearch by the project's own commands, the newest first.",
        query: "event.action:(\"user-put\" OR \"role-put\")",
        columns: &["event.action", "user.name", "user.target.name", "event.outcome"],
        newest_first: true,
    },
];

/// The data view.
pub(super) fn data_view() -> Value {
    let formats = json!({"event.duration": data_view::duration("nanoseconds")});
    data_view::of_indices(ID, "Who has searched", AUDIT_INDEX_PATTERN, &formats)
}
