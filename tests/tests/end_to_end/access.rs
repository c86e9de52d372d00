//! Who may read the logs, and that nobody changes them.

use local::Login;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    people::WithOrders as _,
    search::{Search, matching},
    system,
};

const SEARCH: &str = "alexandrite-*/_search";

#[tokio::test]
async fn support_reads_the_logs_but_can_neither_write_nor_delete() {
    let site = system::site().await;
    let order = site.customer().await.create().await;
    let support = Search::as_support().await;
    support.at_least(1, &matching(&[("order.id", &order)])).await;
    assert_eq!(support.call(Method::GET, SEARCH, None).await.0, 200);

    let index = support.documents(&matching(&[("order.id", &order)])).await.remove(0).index;
    let forged = json!({"@timestamp": "2026-01-01T00:00:00Z", "msg": "forged"});
    let change = json!({"doc": {"msg": "forged"}});
    for (method, path, body) in [
        (Method::POST, format!("{index}/_doc"), Some(&forged)),
        (Method::PUT, format!("{index}/_create/1"), Some(&forged)),
        (Method::POST, format!("{index}/_update/1"), Some(&change)),
        (Method::DELETE, format!("{index}/_doc/1"), None),
        (Method::PUT, "alexandrite-shop-api-2026.01.01".to_owned(), None),
        (Method::DELETE, index.clone(), None),
        (Method::GET, "_security/user".to_owned(), None),
    ] {
        assert_eq!(support.call(method.clone(), &path, body).await.0, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn an_employee_without_the_role_is_refused_and_a_stranger_is_not_known() {
    let accounts = &system::file().await.accounts;
    let employee = accounts.employee_without_role.as_ref().expect("there is one");
    assert_eq!(Search::with(employee).await.call(Method::GET, SEARCH, None).await.0, 403);

    let support = accounts.support.as_ref().expect("there is one");
    let wrong = Login { password: "a guess".to_owned(), ..support.clone() };
    let nobody = Login { login: "nobody".to_owned(), ..support.clone() };
    for stranger in [wrong, nobody] {
        assert_eq!(Search::with(&stranger).await.call(Method::GET, SEARCH, None).await.0, 401);
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

/// The shipper's own account is told to nobody but the shipper.
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
