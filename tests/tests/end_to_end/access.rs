//! Who may read the logs, and that no account changes them.

use local::Login;
use reqwest::Method;
use serde_json::json;
use testkit::access::{SEARCH, others_read_nothing, support_only_reads};

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
