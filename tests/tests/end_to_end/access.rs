//! Who may read the logs, and that no account changes them.

use std::time::Duration;

use local::Login;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{
    access::{SEARCH, others_read_nothing, support_only_reads},
    eventually_within,
    search::matching,
};

use crate::support::{search::Search, site::OrderActions as _, system};

#[tokio::test]
async fn support_reads_the_logs_but_can_neither_write_nor_delete() {
    let order = system::site().await.customer().await.create().await;
    support_only_reads(&*Search::as_support().await, &order).await;
}

#[tokio::test]
async fn an_employee_without_the_role_is_refused_and_a_stranger_is_not_known() {
    let file = system::file().await;
    let (employee, support) = (&file.accounts.employee_without_role, &file.accounts.support);
    let known = "the accounts are known";
    let address = file.elasticsearch.as_deref().expect("Elasticsearch runs");
    others_read_nothing(address, employee.as_ref().expect(known), support.as_ref().expect(known)).await;
}

/// The records of Support's searches for this text, as an account sees them.
async fn searches_for(account: &Search, index: &str, text: &str) -> (u16, Vec<Value>) {
    let query = json!({"query": {"bool": {"filter": [
        {"term": {"user.name": "support"}},
        {"wildcard": {"elasticsearch.querylog.query": format!("*{text}*")}},
    ]}}});
    let (status, response) = account.call(Method::POST, &format!("{index}/_search"), Some(&query)).await;
    (status, response["hits"]["hits"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn the_auditor_sees_within_ten_seconds_who_searched_for_what_and_support_does_not() {
    let order = system::site().await.customer().await.create().await;
    let support = Search::as_support().await;
    support.at_least(1, &matching(&[("order.id", &order)])).await;
    let auditor = system::file().await.accounts.auditor.as_ref().expect("there is one").clone();
    let auditor = Search::with(&auditor).await;

    let found = eventually_within(Duration::from_secs(10), "the record of the search", async || {
        match searches_for(&auditor, "alexandrite-audit-*", &order).await {
            (200, found) if !found.is_empty() => Ok(found),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let (index, record) = (found[0]["_index"].as_str().expect("an index"), &found[0]["_source"]);
    let day = record["@timestamp"].as_str().expect("a time")[..10].replace('-', ".");
    assert_eq!(index, format!("alexandrite-audit-{day}"));
    let searched = record["elasticsearch.querylog.indices"].as_array().expect("indices");
    let searched: Vec<_> = searched.iter().filter_map(Value::as_str).collect();
    assert!(!searched.is_empty() && searched.iter().all(|name| name.starts_with("alexandrite-")), "{record}");

    for list in elk::kibana::AUDIT_SEARCHES {
        let query = json!({"query": {"query_string": {"query": list.query}}, "_source": list.columns});
        let (status, response) = auditor.call(Method::POST, "alexandrite-audit-*/_search", Some(&query)).await;
        assert!(status == 200 && response["hits"]["total"]["value"] != 0, "{}: {response}", list.title);
    }

    // A pattern is no more than the indices that an account may read.
    for pattern in ["alexandrite-*", "alexandrite-audit-*"] {
        assert_eq!(searches_for(&support, pattern, &order).await, (200, vec![]), "{pattern}");
    }
    assert_eq!(searches_for(&support, index, &order).await.0, 403);
    let records = support.documents(&matching(&[("order.id", &order)])).await;
    let seen = auditor.call(Method::GET, &format!("{}/_search", records[0].index), None).await;
    assert_eq!(seen.0, 403, "{}", seen.1);
    assert_eq!(auditor.documents(&matching(&[("order.id", &order)])).await.len(), 0);
    let forged = json!({"@timestamp": "2026-01-01T00:00:00Z", "user.name": "nobody"});
    for (method, path, body) in [
        (Method::POST, format!("{index}/_doc"), Some(&forged)),
        (Method::DELETE, index.to_owned(), None),
        (Method::GET, "_security/user".to_owned(), None),
    ] {
        assert_eq!(auditor.call(method, &path, body).await.0, 403, "{path}");
    }
}

#[tokio::test]
async fn the_shipper_appends_and_reads_nothing() {
    let administrator = system::file().await.accounts.administrator.as_ref().expect("there is one").clone();
    assert_eq!(Search::with(&administrator).await.call(Method::GET, SEARCH, None).await.0, 200);
    let shipper = shipper().await;
    assert_eq!(shipper.call(Method::GET, SEARCH, None).await.0, 403);
    assert_eq!(shipper.call(Method::DELETE, "alexandrite-shop-api-2026.01.01", None).await.0, 403);
    let forged = json!({"@timestamp": "2026-01-01T00:00:00Z", "msg": "anything"});
    assert_eq!(shipper.call(Method::POST, "something-else/_doc", Some(&forged)).await.0, 403);
}

/// Only the shipper has the password of its account.
async fn shipper() -> Search {
    let system = system::system().await;
    let pid = system.pid("shipper").expect("the shipper runs");
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("its environment can be read");
    let variable = |name: &str| {
        let found = environment.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.expect("the shipper's settings are variables").to_owned()
    };
    Search::with(&Login { login: variable("SHIPPER_LOGIN"), password: variable("SHIPPER_PASSWORD") }).await
}
