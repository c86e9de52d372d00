//! The saved searches: lists of records.

use catalogue::field;
use serde_json::{Value, json};

/// A list of records with chosen columns.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Its id in Kibana.
    pub id: &'static str,
    /// The question that it is for.
    pub title: &'static str,
    /// The exact definition of what is shown, and its limits.
    pub description: &'static str,
    /// The records, in Lucene's syntax.
    pub query: &'static str,
    /// The columns besides the time.
    pub columns: &'static [&'static str],
    /// Whether the newest record comes first.
    pub newest_first: bool,
}

/// One order's records, the oldest first.
pub(crate) const TRAIL: Search = Search {
    id: "alexandrite-trail",
    title: "What has happened to this order?",
    description: "Every record of one order, the oldest first: choose it at the top, or search for order.id. Requests \
                  are left out unless they failed for a reason of ours.",
    query: "order.id:* AND (NOT event.action:\"http.request\" OR level:>=50)",
    columns: &[
        field::NAME,
        field::EVENT_ACTION,
        field::ORDER_ID,
        field::ORDER_STATUS,
        field::ORDER_PRICE_STATUS,
        field::MESSAGING_MESSAGE_TYPE,
        field::LEVEL,
        field::ERROR_TYPE,
        field::ERROR_MESSAGE,
        field::TRACE_ID,
    ],
    newest_first: false,
};

/// The newest internal failures.
pub(crate) const ERRORS: Search = Search {
    id: "alexandrite-errors",
    title: "What went wrong last?",
    description: "The newest errors with their whole chain of causes.",
    query: "level:>=50",
    columns: &[
        field::NAME,
        field::EVENT_ACTION,
        field::ERROR_TYPE,
        field::ERROR_MESSAGE,
        field::ORDER_ID,
        field::TRACE_ID,
    ],
    newest_first: true,
};

/// Every saved search.
pub const SEARCHES: [Search; 2] = [TRAIL, ERRORS];

impl Search {
    /// The saved object; `data_view` is the id of the data view of its records.
    pub(crate) fn object(&self, data_view: &str) -> Value {
        let source = json!({
            "query": {"language": "lucene", "query": self.query},
            "filter": [],
            "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
        });
        json!({
            "id": self.id,
            "type": "search",
            "attributes": {
                "title": self.title,
                "description": self.description,
                "columns": self.columns,
                "sort": [[field::TIMESTAMP, if self.newest_first { "desc" } else { "asc" }]],
                "grid": {},
                "hideChart": true,
                "isTextBasedQuery": false,
                "timeRestore": false,
                "kibanaSavedObjectMeta": {"searchSourceJSON": source.to_string()},
            },
            "references": [
                {"id": data_view, "name": "kibanaSavedObjectMeta.searchSourceJSON.index", "type": "index-pattern"},
            ],
            "managed": false,
            "coreMigrationVersion": "8.8.0",
            "typeMigrationVersion": "10.5.0",
        })
    }
}
