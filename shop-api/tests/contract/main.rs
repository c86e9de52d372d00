//! What the shop promises to its customers, against a real PostgreSQL.

mod customers;
mod documentation;
mod health;
mod idempotency;
mod lists;
mod models;
mod orders;
mod outages;
mod problems;
mod records;
mod sessions;
mod settings;
mod statuses;

use serde_json::{Map, Value, json};
use shop_api::ShopApi;
use testkit::{
    Client, Response,
    records::records_of,
    service::{self, RunningService},
    solids,
};

async fn shop() -> RunningService {
    service::start::<ShopApi>(&[]).await
}

/// What customers mostly ask for.
fn ring() -> Value {
    json!({"material": "gold_585", "quantity": 1})
}

fn cube() -> Vec<u8> {
    solids::cube(10.0).to_binary_stl()
}

/// Creates an order; returns its number.
async fn create_order(customer: &Client) -> String {
    number(&customer.post_json("/orders", ring()).await.expect(201))
}

/// Creates an order with a model; returns its number.
async fn create_order_with_model(customer: &Client) -> String {
    let id = create_order(customer).await;
    upload(customer, &id).await.expect(200);
    id
}

async fn upload(customer: &Client, id: &str) -> Response {
    customer.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), cube()).await
}

async fn set_status(customer: &Client, id: &str, status: &str) -> Response {
    customer.post_json(&format!("/orders/{id}/status"), json!({"status": status})).await
}

async fn get_order(customer: &Client, id: &str) -> Value {
    customer.get(&format!("/orders/{id}")).await.expect(200)
}

fn number(order: &Value) -> String {
    order["id"].as_str().expect("an order has a number").to_owned()
}

/// The statuses in an order's history, in its order.
fn statuses(order: &Value) -> Vec<&str> {
    let history = order["history"].as_array().expect("a history");
    history.iter().map(|change| change["status"].as_str().expect("a status")).collect()
}

/// The records of the request that got this response; every one keeps what the catalogue promises.
fn whole_records_of(response: &Response) -> Vec<Map<String, Value>> {
    let records = records_of(response);
    for record in &records {
        assert_eq!(catalogue::record::violations(record), [""; 0], "{record:?}");
    }
    records
}

/// What these records report, in their order.
fn actions(records: &[Map<String, Value>]) -> Vec<&str> {
    records.iter().map(|record| record["event.action"].as_str().expect("an action")).collect()
}
