//! The alerts that were raised, as ElastAlert keeps them.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::client::{Answer, Logs, SearchError};

/// Where ElastAlert keeps what it has raised. There is no such index where no alerts run.
const INDICES: &str = "elastalert_status*";
/// The newest alerts.
const NEWEST: usize = 100;

/// An alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The rule that raised it, which is also the name of its section in the runbook.
    pub rule: String,
    /// When.
    pub at: Option<OffsetDateTime>,
    /// Whether it was sent. One that wasn't is either silenced or could not be sent.
    pub sent: bool,
}

impl Logs {
    /// The alerts of the last days, the newest first; at most 100: one search.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn alerts(&self, days: u16) -> Result<Answer<Vec<Alert>>, SearchError> {
        let query = json!({
            "size": NEWEST,
            "query": { "bool": { "filter": [
                { "exists": { "field": "rule_name" } },
                { "exists": { "field": "alert_sent" } },
                { "range": { "@timestamp": { "gte": format!("now-{days}d") } } },
            ] } },
            "sort": [{ "@timestamp": { "order": "desc", "unmapped_type": "date" } }],
            "_source": ["@timestamp", "alert_time", "rule_name", "alert_sent"],
        });
        Ok(self.search_in(INDICES, query).await?.map(|response| {
            let hits = response["hits"]["hits"].as_array();
            hits.into_iter().flatten().map(|hit| alert(&hit["_source"])).collect()
        }))
    }
}

fn alert(source: &Value) -> Alert {
    let at = source["alert_time"].as_str().or_else(|| source["@timestamp"].as_str());
    Alert {
        rule: source["rule_name"].as_str().unwrap_or_default().to_owned(),
        at: at.and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()),
        sent: source["alert_sent"] == true,
    }
}
