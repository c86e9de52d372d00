//! The alerts that were raised, as ElastAlert keeps them.

use catalogue::Service;
use elk::objectives::BURN_RATES;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::client::{Answer, Logs, SearchError};

/// Where ElastAlert keeps the alerts that it has raised; it keeps its runs, of which there are far more, in an index of their
/// own. There is no such index where no alerts run.
const INDEX: &str = "elastalert_status";
/// The newest alerts.
const NEWEST: usize = 100;

/// An alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The name of the rule that raised it.
    pub rule: String,
    /// When.
    pub at: Option<OffsetDateTime>,
    /// Whether it was sent. One that wasn't is either silenced or could not be sent.
    pub sent: bool,
}

impl Alert {
    /// The section of the runbook about its rule. Rules of several services, or of several burn rates of an objective, share
    /// one: their names have the service or the burn rate at the end.
    #[must_use]
    pub fn section(&self) -> &str {
        let is_of_objective = self.rule.starts_with("objective-");
        let burn_rates = BURN_RATES.iter().map(|burn_rate| burn_rate.name).filter(|_| is_of_objective);
        let mut ends = Service::ALL.into_iter().map(Service::name).chain(burn_rates);
        ends.find_map(|end| self.rule.strip_suffix(end)?.strip_suffix('-')).unwrap_or(&self.rule)
    }
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
        Ok(self.search_in(INDEX, query).await?.map(|response| {
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn section(rule: &str) -> String {
        let alert = Alert { rule: rule.to_owned(), at: None, sent: true };
        alert.section().to_owned()
    }

    #[test]
    fn rules_of_a_service_or_of_a_burn_rate_share_a_section() {
        for (rule, expected) in [
            ("service-silent-mes-api", "service-silent"),
            ("records-rising-support-web", "records-rising"),
            ("objective-reads-fast", "objective-reads"),
            ("prices-slow", "prices-slow"),
            ("dead-letter", "dead-letter"),
        ] {
            assert_eq!(section(rule), expected);
        }
    }

    #[test]
    fn every_rule_has_its_section_in_the_runbook() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let runbook = fs::read_to_string(root.join("docs/runbook.md")).unwrap();
        let sections: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let files = fs::read_dir(root.join("elk/alerts/rules")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let rules: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
        assert!(rules.len() > 30, "{rules:?}");
        for rule in rules {
            assert!(sections.contains(section(&rule).as_str()), "{rule}");
        }
    }
}
