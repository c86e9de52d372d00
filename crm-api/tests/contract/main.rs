//! What the CRM promises to sellers, to the carrier and to the MES, against a real PostgreSQL.

mod deliveries;
mod documentation;
mod health;
mod lists;
mod messages;
mod models;
mod orders;
mod outages;
mod records;
mod sessions;
mod settings;
mod statuses;
mod stuck;

use crm_api::CrmApi;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use testkit::{
    Client, Response,
    records::records_of,
    service::{self, RunningService},
    solids,
};
use uuid::Uuid;

async fn crm() -> RunningService {
    service::start::<CrmApi>(&[]).await
}

/// What a seller mostly orders for a customer.
fn ring_for(customer: Uuid) -> Value {
    json!({"customer_id": customer, "material": "gold_585", "quantity": 1})
}

fn cube() -> Vec<u8> {
    solids::cube(10.0).to_binary_stl()
}

/// Creates an order for a customer; returns its number.
async fn create_order(seller: &Client, customer: Uuid) -> String {
    number(&seller.post_json("/orders", ring_for(customer)).await.expect(201))
}

/// Creates an order with a model; returns its number.
async fn create_order_with_model(seller: &Client, customer: Uuid) -> String {
    let id = create_order(seller, customer).await;
    upload(seller, &id).await.expect(200);
    id
}

/// Creates an order and places it; returns its number.
async fn submit_order(seller: &Client, customer: Uuid) -> String {
    let id = create_order_with_model(seller, customer).await;
    set_status(seller, &id, "SUBMITTED").await.expect(200);
    id
}

async fn upload(seller: &Client, id: &str) -> Response {
    seller.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), cube()).await
}

async fn set_status(seller: &Client, id: &str, status: &str) -> Response {
    seller.post_json(&format!("/orders/{id}/status"), json!({"status": status})).await
}

async fn get_order(seller: &Client, id: &str) -> Value {
    seller.get(&format!("/orders/{id}")).await.expect(200)
}

/// Puts an order into a status behind the service's back, as if it had been there since so long ago.
async fn put_into_status(crm: &RunningService, id: &str, status: &str, ago: &str) {
    let change = format!(
        "UPDATE orders SET status = '{status}', status_since = date_trunc('minute', now()) - interval '{ago}'
         WHERE id = '{id}'"
    );
    let changed = sqlx::query(AssertSqlSafe(change)).execute(crm.tables()).await.expect("a change");
    assert_eq!(changed.rows_affected(), 1);
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
