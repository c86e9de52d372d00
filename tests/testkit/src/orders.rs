//! What tests of a single service do with orders over REST.

use common::domain::OrderStatus;
use reqwest::Url;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{Client, Response, service::RunningService, solids};

/// A cube with edges of 1 cm, as a binary STL file: three in silver cost 136.80 € (docs/pricing.md).
#[must_use]
pub fn cube() -> Vec<u8> {
    solids::cube(10.0).to_binary_stl()
}

/// The same without one of its triangles.
#[must_use]
pub fn open_cube() -> Vec<u8> {
    let mut cube = solids::cube(10.0);
    cube.triangles.pop();
    cube.to_binary_stl()
}

/// An order's id.
///
/// # Panics
///
/// If it has none.
#[must_use]
pub fn id_of(order: &Value) -> String {
    order["id"].as_str().expect("an order has an id").to_owned()
}

/// The statuses in an order's history, the oldest first.
///
/// # Panics
///
/// If it has no history.
#[must_use]
pub fn statuses(order: &Value) -> Vec<&str> {
    let history = order["history"].as_array().expect("a history");
    history.iter().map(|change| change["status"].as_str().expect("a status")).collect()
}

/// The path of an order's model with this file name.
///
/// # Panics
///
/// If there is no such path.
#[must_use]
pub fn model_path(id: &str, filename: &str) -> String {
    let url = Url::parse_with_params("http://service/", [("filename", filename)]).expect("a URL");
    format!("/orders/{id}/model?{}", url.query().expect("a query"))
}

/// Uploads [`cube`].
pub async fn upload(client: &Client, id: &str) -> Response {
    client.put_bytes(&model_path(id, "ring.stl"), cube()).await
}

/// Asks for a status.
pub async fn set_status(client: &Client, id: &str, status: &str) -> Response {
    client.post_json(&format!("/orders/{id}/status"), json!({"status": status})).await
}

/// The order with its history.
///
/// # Panics
///
/// If the client may not see it.
pub async fn get_order(client: &Client, id: &str) -> Value {
    client.get(&format!("/orders/{id}")).await.expect(200)
}

/// The order as lists show it: without what only [`get_order`] shows.
///
/// # Panics
///
/// If the client may not see it.
pub async fn listed_order(client: &Client, id: &str) -> Value {
    let mut order = get_order(client, id).await;
    let members = order.as_object_mut().expect("an object");
    members.remove("history").expect("a history");
    order
}

/// The ids on a page of a list, and the mark of the next one.
///
/// # Panics
///
/// If it is no page.
pub async fn page(client: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let page = client.get(&format!("/orders?{query}")).await.expect(200);
    let next = match &page["next"] {
        Value::Null => None,
        Value::String(next) => Some(next.clone()),
        other => panic!("next is {other}"),
    };
    (page["items"].as_array().expect("a list").iter().map(id_of).collect(), next)
}

/// The ids on all pages of a list.
///
/// # Panics
///
/// If one is no page.
pub async fn pages(client: &Client, query: &str) -> Vec<Vec<String>> {
    pages_with(client, query, async || ()).await
}

/// The same, with something done between each two pages.
///
/// # Panics
///
/// If one is no page.
pub async fn pages_with(client: &Client, query: &str, between: impl AsyncFn()) -> Vec<Vec<String>> {
    let (first, mut next) = page(client, query).await;
    let mut pages = vec![first];
    while let Some(after) = next {
        between().await;
        let (ids, after_that) = page(client, &format!("{query}&after={after}")).await;
        pages.push(ids);
        next = after_that;
    }
    pages
}

/// Puts an order of shop or CRM into a status behind the service's back, as if it had been there for this interval.
///
/// # Panics
///
/// If there is no such order.
pub async fn put_into_status(service: &RunningService, id: &str, status: OrderStatus, since: &str) {
    let change = format!(
        "UPDATE orders SET status = '{status}', status_since = date_trunc('minute', now()) - interval '{since}'
         WHERE id = '{id}'"
    );
    let changed = sqlx::query(AssertSqlSafe(change)).execute(service.tables()).await.expect("a change");
    assert_eq!(changed.rows_affected(), 1);
}

/// Type, order, body and trace of each message that waits in the outbox, the oldest first.
///
/// # Panics
///
/// If the outbox can't be read.
pub async fn outbox(service: &RunningService) -> Vec<(String, String, Value, Option<String>)> {
    sqlx::query_as("SELECT type, order_id, body, traceparent FROM outbox ORDER BY seq")
        .fetch_all(service.tables())
        .await
        .expect("the outbox")
}
