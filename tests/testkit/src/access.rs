//! Who may read the logs, and that no account changes them.

use local::Login;
use reqwest::Method;
use serde_json::json;

use crate::search::{Search, matching};

/// A search in all logs.
pub const SEARCH: &str = "alexandrite-*/_search";

/// Asserts that Support reads the records of this order, and neither writes nor deletes anything.
///
/// # Panics
///
/// If it is otherwise.
pub async fn support_only_reads(support: &Search, order: &str) {
    let of_order = matching(&[("order.id", order)]);
    support.at_least(1, &of_order).await;
    assert_eq!(support.call(Method::GET, SEARCH, None).await.0, 200);

    let index = support.documents(&of_order).await.remove(0).index;
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

/// Asserts that an employee without the role is refused, and that a login without an account, or with a wrong password, is not
/// known.
///
/// # Panics
///
/// If it is otherwise.
pub async fn others_read_nothing(address: &str, employee: &Login, support: &Login) {
    assert_eq!(Search::new(address, employee).call(Method::GET, SEARCH, None).await.0, 403);
    let wrong = Login { password: "a guess".to_owned(), ..support.clone() };
    let unknown = Login { login: "nobody".to_owned(), ..support.clone() };
    for stranger in [wrong, unknown] {
        assert_eq!(Search::new(address, &stranger).call(Method::GET, SEARCH, None).await.0, 401);
    }
}
