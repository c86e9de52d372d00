//! From a service's output to the index: everything, once, and as it was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use testkit::{eventually, eventually_within};

use crate::{
    scenario::{broken_broker, broken_database, broken_store, ordinary},
    support::{
        log::{self, Record, text},
        process::Process,
        search::{Document, Search},
        secrets, system,
    },
};

/// Another test may just have killed what ships or takes the lines, and all of them come once more.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until every line that a log has by now is a document. Returns all documents of its processes.
pub(crate) async fn arrived(path: &Path) -> Vec<Document> {
    let before = log::records(path);
    let Some(first) = before.first() else { return Vec::new() };
    let processes: BTreeSet<u64> = before.iter().map(process_of).collect();
    let of_processes = [json!({"terms": {"pid": processes}}), json!({"term": {"hostname": first["hostname"]}})];
    let before_as_text: BTreeSet<String> = before.iter().map(as_text).collect();
    let support = Search::as_support().await;
    eventually_within(PATIENCE, &format!("{} to be shipped", path.display()), async || {
        let documents = support.documents(&of_processes).await;
        let there: BTreeSet<String> = documents.iter().map(|document| as_text(&as_written(document))).collect();
        let missing: Vec<_> = before_as_text.difference(&there).collect();
        if missing.is_empty() { Ok(documents) } else { Err(format!("{missing:?} are missing")) }
    })
    .await
}

/// Waits until every line that a log has by now is a document, and nothing is there twice or from elsewhere. A service also
/// writes what a killed one with the same database has left: lines of another process, which may stand in its log as well.
pub(crate) async fn shipped(path: &Path) -> Vec<Document> {
    let documents = arrived(path).await;
    let written = log::records(path);
    let Some(first) = written.first() else { return Vec::new() };
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for record in &written {
        *lines.entry(as_text(record)).or_default() += 1;
    }
    let mut of_this_log = Vec::new();
    for document in documents {
        match lines.get_mut(&as_text(&as_written(&document))) {
            Some(count @ 1..) => {
                *count -= 1;
                of_this_log.push(document);
            }
            _ if process_of(&document.record) != process_of(first) => {}
            _ => panic!("{document:?} has no line of its own"),
        }
    }
    of_this_log
}

fn process_of(record: &Record) -> u64 {
    record["pid"].as_u64().expect("a process id is a number")
}

fn as_text(record: &Record) -> String {
    json!(record).to_string()
}

/// The record without what the shipper adds.
fn as_written(document: &Document) -> Record {
    let mut record = document.record.clone();
    let added = record.remove("@timestamp");
    assert_eq!(added.as_ref(), record.get("time"), "{document:?}");
    record
}

/// The logs of the shared system's services.
fn main_logs(logs: &Path) -> [PathBuf; 3] {
    ["shop-api", "crm-api", "mes-api"].map(|service| logs.join(format!("{service}.log")))
}

#[tokio::test]
async fn every_line_becomes_one_document_in_the_index_of_its_service_and_day() {
    let file = system::file().await;
    for path in main_logs(&file.logs) {
        for document in shipped(&path).await {
            let record = &document.record;
            let day = text(record, "time")[..10].replace('-', ".");
            assert_eq!(document.index, format!("alexandrite-{}-{day}", text(record, "name")));
        }
    }
}

#[tokio::test]
async fn a_shipper_that_is_killed_in_the_middle_loses_nothing_and_sends_nothing_twice() {
    survives_a_kill_of("shipper").await;
}

#[tokio::test]
async fn an_elasticsearch_that_is_killed_in_the_middle_loses_nothing_and_gets_nothing_twice() {
    let _alone = system::without_interruption().await;
    survives_a_kill_of("elasticsearch").await;
}

/// Records before, while and after a part is killed and comes up again.
async fn survives_a_kill_of(part: &str) {
    let system = system::system().await;
    let shop = Process::start(system::file().await, "shop-api", &[]).await;
    let anonymous = shop.client();
    let burst = async || {
        futures::future::join_all((0..100).map(|_| anonymous.get("/nowhere"))).await;
    };
    burst().await;
    let pid = system.pid(part).expect("the part runs");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the part can be killed");
    burst().await;
    eventually("the part to be started again", async || match system.pid(part) {
        Ok(now) if now != pid => Ok(()),
        Ok(_) => Err("it is still the old one".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    burst().await;
    let documents = shipped(shop.log()).await;
    assert_eq!(documents.iter().filter(|document| text(&document.record, "http.route") == "UNMATCHED").count(), 300);
}

/// The passwords that the services themselves use.
fn keep_passwords_of(environments: &BTreeMap<String, BTreeMap<String, String>>) {
    let urls = |variables: &BTreeMap<String, String>| {
        ["DATABASE_URL", "AMQP_URL"].map(|name| variables.get(name).cloned()).into_iter().flatten()
    };
    for url in environments.values().flat_map(urls) {
        let (login_and_password, _) = url.split_once('@').expect("the service has a login");
        let (_, password) = login_and_password.rsplit_once(':').expect("the login has a password");
        secrets::keep(password);
    }
}

#[tokio::test]
async fn every_line_is_one_flat_record_without_a_secret_and_elasticsearch_refuses_none() {
    ordinary::logs().await;
    broken_broker::logs().await;
    broken_database::logs().await;
    broken_store::logs().await;
    let file = system::file().await;
    let logs = fs::read_dir(&file.logs).expect("the folder of logs").map(|item| item.expect("an item").path());
    let records = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    keep_passwords_of(&file.environments);
    let secrets = secrets::finder();
    let mut count = 0;
    for path in records {
        for line in log::lines(&path) {
            let record = log::parse(&line).unwrap_or_else(|error| panic!("{error} in {}: {line}", path.display()));
            assert_eq!(catalogue::record::violations(&record), [""; 0], "{line}");
            assert!(record.values().all(|value| !value.is_object() && !value.is_array()), "{line}");
            assert!(catalogue::Service::from_name(text(&record, "name")).is_some(), "{line}");
            assert_eq!(record["v"], 0, "{line}");
            assert!([30, 40, 50].contains(&log::level(&record)), "{line}");
            let found = secrets.find(&line).map(|found| &line[found.range()]);
            assert_eq!(found, None, "{line}");
            count += 1;
        }
    }
    assert!(count > 1000, "{count} lines are few");

    // What was added on the way isn't the services' word: look there as well.
    let support = Search::as_support().await;
    for document in support.documents(&[]).await {
        assert!(!document.index.starts_with("alexandrite-unknown"), "{document:?}");
        let whole = as_text(&document.record);
        assert!(!secrets.is_match(&whole), "{whole}");
    }
    let refused = file.shipper_errors.as_ref().expect("the shipper runs");
    assert_eq!(fs::read_to_string(refused).unwrap_or_default(), "");
}
