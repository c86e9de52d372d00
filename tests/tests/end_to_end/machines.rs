//! What the accounts of the containers' machine users may do. The local system has not all of these accounts; the tests
//! add the others to its Elasticsearch.

use std::{fs, io::Write as _};

use local::Login;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{access::SEARCH, eventually};

use crate::support::{search::Search, system};

/// Returns a role's machine user Support's password, by writing it into Elasticsearch's files.
async fn machine(role: &str) -> Search {
    let configuration = system::system().await.data().join("elasticsearch/config");
    let support = system::file().await.accounts.support.clone().expect("there is a support account");
    let users = fs::read_to_string(configuration.join("users")).expect("Elasticsearch's users");
    let hash = users.lines().find_map(|line| line.strip_prefix("support:")).expect("Support's password");
    for (file, line) in [("users_roles", format!("{role}:{role}\n")), ("users", format!("{role}:{hash}\n"))] {
        let file = fs::OpenOptions::new().append(true).open(configuration.join(file));
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("it can be written");
    }
    let machine = Search::with(&Login { login: role.to_owned(), ..support }).await;
    eventually("Elasticsearch to see the new account", async || {
        match machine.call(Method::GET, "_cluster/health", None).await {
            (200, _) => Ok(()),
            (status, response) => Err(format!("{status}: {response}")),
        }
    })
    .await;
    machine
}

/// Asserts what each request of an account is answered with.
async fn assert_answers(account: &Search, expected: &[(u16, Method, &str, Option<Value>)]) {
    for (status, method, path, body) in expected {
        let (answered, response) = account.call(method.clone(), path, body.as_ref()).await;
        assert_eq!(answered, *status, "{method} {path}: {response}");
    }
}

/// A line of no service: none has this name, and no record is that old.
const INDEX: &str = "alexandrite-machines-2001.01.01";

fn line() -> Option<Value> {
    Some(json!({"@timestamp": "2001-01-01T00:00:00Z", "time": "2001-01-01T00:00:00Z", "event.original": "a line"}))
}

#[tokio::test]
async fn logstash_appends_once_and_reads_nothing() {
    let logstash = machine("logstash").await;
    let create = format!("{INDEX}/_create/a-line");
    assert_answers(
        &logstash,
        &[
            (201, Method::PUT, &create, line()),
            (409, Method::PUT, &create, line()),
            (403, Method::PUT, &format!("{INDEX}/_doc/a-line"), line()),
            (403, Method::GET, &format!("{INDEX}/_doc/a-line"), None),
            (403, Method::DELETE, &format!("{INDEX}/_doc/a-line"), None),
            (403, Method::GET, SEARCH, None),
            (403, Method::DELETE, INDEX, None),
            (403, Method::PUT, "_component_template/alexandrite-mappings", Some(json!({"template": {}}))),
            (403, Method::POST, "something-else/_doc", line()),
        ],
    )
    .await;
}

#[tokio::test]
async fn elastalert_reads_records_and_keeps_only_its_own_notes_which_support_reads() {
    let elastalert = system::file().await.accounts.elastalert.clone().expect("there is an account for the alerts");
    let (elastalert, support) = (Search::with(&elastalert).await, Search::as_support().await);
    let alert = || Some(json!({"@timestamp": "2001-01-01T00:00:00Z", "rule_name": "a rule"}));
    assert_answers(
        &elastalert,
        &[
            (200, Method::GET, SEARCH, None),
            (403, Method::PUT, &format!("{INDEX}/_create/an-alert"), alert()),
            (200, Method::PUT, "elastalert_status_test", None),
            (
                200,
                Method::PUT,
                "elastalert_status_test/_mapping",
                Some(json!({"properties": {"rule_name": {"type": "keyword"}}})),
            ),
            (201, Method::PUT, "elastalert_status_test/_doc/1?refresh=true", alert()),
            (200, Method::GET, "elastalert_status_test/_search", None),
            (403, Method::GET, "_security/user", None),
        ],
    )
    .await;
    assert_answers(
        &support,
        &[
            (200, Method::GET, "elastalert_status_test/_search", None),
            (403, Method::PUT, "elastalert_status_test/_doc/2", alert()),
            (403, Method::DELETE, "elastalert_status_test/_doc/1", None),
        ],
    )
    .await;
    assert_answers(&elastalert, &[(200, Method::DELETE, "elastalert_status_test", None)]).await;
}

#[tokio::test]
async fn the_apm_server_appends_spans_and_metrics_which_support_reads() {
    let (apm, support) = (machine("apm-server").await, Search::as_support().await);
    let span = || Some(json!({"@timestamp": "2001-01-01T00:00:00Z", "trace.id": "0"}));
    // What Kibana's pages of APM ask for.
    for index in ["traces-apm-test", "metrics-apm.internal-test", "logs-apm.error-test"] {
        assert_answers(
            &apm,
            &[
                (201, Method::POST, &format!("{index}/_doc?op_type=create&refresh=true"), span()),
                (403, Method::GET, &format!("{index}/_search"), None),
                (403, Method::DELETE, index, None),
            ],
        )
        .await;
        assert_answers(
            &support,
            &[(200, Method::GET, &format!("{index}/_search"), None), (403, Method::DELETE, index, None)],
        )
        .await;
    }
    // A pattern would be no more than the indices that it may read: none of these.
    assert_answers(
        &apm,
        &[
            (403, Method::GET, &format!("{INDEX}/_search"), None),
            (403, Method::POST, &format!("{INDEX}/_doc?op_type=create"), span()),
        ],
    )
    .await;
}
