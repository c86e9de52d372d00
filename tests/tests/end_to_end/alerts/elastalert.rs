//! ElastAlert as a process, and what it notes in Elasticsearch, as Support reads it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use local::{Login, SystemFile};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{eventually_within, search::Search};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{day::PATIENCE, python};

/// A running ElastAlert.
pub(crate) struct ElastAlert(Child);

impl ElastAlert {
    /// Starts it with all rules as they are, but for `disk-fills`: what room the machine has is its own matter. The rules and
    /// the output are in `folder`.
    pub(crate) fn start(system: &SystemFile, mail_port: u16, folder: &Path) -> Self {
        for rule in fs::read_dir(python::alerts().join("rules")).expect("the rules").flatten() {
            copy(&rule.path(), &folder.join("rules"));
        }
        Self::start_with_least_free(0, system, mail_port, folder)
    }

    /// Starts it with this limit in the rule `disk-fills`, and with the other rules that are in `folder`.
    pub(crate) fn start_with_least_free(percent: u8, system: &SystemFile, mail_port: u16, folder: &Path) -> Self {
        for file in ["config.yaml", "disk.py", "windows.py"] {
            copy(&python::alerts().join(file), folder);
        }
        let rule = fs::read_to_string(python::alerts().join("rules/disk-fills.yaml")).expect("the rule");
        let limit = "\nleast_free: 10\n";
        assert!(rule.contains(limit), "{rule}");
        fs::create_dir_all(folder.join("rules")).expect("a folder");
        let changed = rule.replace(limit, &format!("\nleast_free: {percent}\n"));
        fs::write(folder.join("rules/disk-fills.yaml"), changed).expect("a rule");

        let log = folder.join("elastalert.txt");
        let open = || File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(python::programs().join("elastalert"));
        command.args(["--config", "config.yaml", "--verbose"]).current_dir(folder);
        command.envs(environment(system, mail_port));
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        Self(command.spawn().expect("ElastAlert starts"))
    }
}

fn copy(file: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    fs::copy(file, folder.join(file.file_name().expect("a name"))).expect("a copy");
}

impl Drop for ElastAlert {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The variables that `config.yaml` needs.
fn environment(system: &SystemFile, mail_port: u16) -> BTreeMap<&'static str, String> {
    let address = system.elasticsearch.as_deref().expect("Elasticsearch runs");
    let (host, port) = address.trim_start_matches("http://").rsplit_once(':').expect("a host and a port");
    let Login { login, password } = system.accounts.elastalert.clone().expect("ElastAlert has an account");
    BTreeMap::from([
        ("ES_HOST", host.to_owned()),
        ("ES_PORT", port.to_owned()),
        ("ES_USERNAME", login),
        ("ES_PASSWORD", password),
        ("SMTP_HOST", "127.0.0.1".to_owned()),
        ("SMTP_PORT", mail_port.to_string()),
        ("ALERT_MAIL_FROM", "alexandrite@example.org".to_owned()),
        ("ALERT_MAIL_TO", "support@example.org".to_owned()),
        ("KIBANA_URL", "http://kibana.example.org".to_owned()),
        (python::CACHE.0, python::CACHE.1.to_owned()),
    ])
}

/// An alert as ElastAlert noted it.
#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) rule: String,
    /// The time of the record that set it off; of the look, where records are only counted.
    pub(crate) matched: SystemTime,
    /// When it was sent, or should have been.
    pub(crate) time: SystemTime,
    pub(crate) sent: bool,
}

/// ElastAlert's notes and the records, as Support reads them.
pub(crate) struct Notes(Search);

impl Notes {
    pub(crate) fn of(system: &SystemFile) -> Self {
        Self(Search::as_support(system))
    }

    /// Every alert so far.
    pub(crate) async fn alerts(&self) -> Vec<Alert> {
        let found = self.search("elastalert_status", &json!({"size": 1000})).await;
        let alert = |hit: &Value| {
            let note = &hit["_source"];
            Alert {
                rule: note["rule_name"].as_str().unwrap_or_default().to_owned(),
                matched: time(&note["match_time"]),
                time: time(&note["alert_time"]),
                sent: note["alert_sent"].as_bool().unwrap_or_default(),
            }
        };
        found["hits"]["hits"].as_array().into_iter().flatten().map(alert).collect()
    }

    /// The alert of this rule, once it is there.
    pub(crate) async fn wait_for(&self, rule: &str) -> Alert {
        eventually_within(PATIENCE, &format!("the alert {rule}"), async || {
            let mut alerts = self.alerts().await;
            let found = alerts.iter().position(|alert| alert.rule == rule);
            found.map(|place| alerts.swap_remove(place)).ok_or_else(|| format!("{alerts:?}"))
        })
        .await
    }

    /// Per rule from when to when it has looked so far.
    pub(crate) async fn looks(&self) -> BTreeMap<String, (SystemTime, SystemTime)> {
        let query = json!({"size": 0, "aggs": {"rules": {"terms": {"field": "rule_name", "size": 100}, "aggs": {
            "first": {"min": {"field": "endtime"}}, "last": {"max": {"field": "endtime"}},
        }}}});
        let found = self.search("elastalert_status_status", &query).await;
        let look = |rule: &Value| {
            let name = rule["key"].as_str().unwrap_or_default().to_owned();
            (name, (time(&rule["first"]["value_as_string"]), time(&rule["last"]["value_as_string"])))
        };
        found["aggregations"]["rules"]["buckets"].as_array().into_iter().flatten().map(look).collect()
    }

    /// What ElastAlert could not do, apart from looking into its own indices before it made them.
    pub(crate) async fn failures(&self) -> Vec<String> {
        let found = self.search("elastalert_status_error", &json!({"size": 100})).await;
        let hits = found["hits"]["hits"].as_array().into_iter().flatten();
        let messages = hits.map(|hit| hit["_source"]["message"].as_str().unwrap_or_default().to_owned());
        // An index that isn't there yet, or is being opened: the next look sees it.
        let passing = ["index_not_found_exception", "no_shard_available_action_exception"];
        messages.filter(|message| !passing.iter().any(|kind| message.contains(kind))).collect()
    }

    /// All that the records say about who people are.
    pub(crate) async fn people(&self) -> Vec<String> {
        use catalogue::field::{CUSTOMER_ID, OPERATOR_ID, PARTNER_ID, SOURCE_IP, USER_HASH, USER_ID};
        let fields = [CUSTOMER_ID, OPERATOR_ID, PARTNER_ID, USER_HASH, USER_ID, SOURCE_IP];
        let groups = fields.map(|field| (field.to_owned(), json!({"terms": {"field": field, "size": 10_000}})));
        let groups: serde_json::Map<String, Value> = groups.into_iter().collect();
        let found = self.search(elk::INDEX_PATTERN, &json!({"size": 0, "aggs": groups})).await;
        let buckets = fields.iter().flat_map(|field| found["aggregations"][field]["buckets"].as_array());
        buckets.flatten().filter_map(|bucket| Some(bucket["key"].as_str()?.to_owned())).collect()
    }

    async fn search(&self, index: &str, query: &Value) -> Value {
        let path = format!("{index}/_search?ignore_unavailable=true");
        let (status, found) = self.0.call(Method::POST, &path, Some(query)).await;
        assert_eq!(status, 200, "{found}");
        found
    }
}

fn time(text: &Value) -> SystemTime {
    OffsetDateTime::parse(text.as_str().unwrap_or_default(), &Rfc3339)
        .unwrap_or_else(|_| panic!("a time: {text}"))
        .into()
}
