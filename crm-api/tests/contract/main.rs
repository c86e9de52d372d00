//! What the CRM promises to sellers, to the carrier and to the MES, against a real PostgreSQL.

mod deliveries;
mod documentation;
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
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::{
    Client,
    orders::{cube, get_order, id_of, set_status, statuses, upload},
    records::{actions, valid_records_of},
    service::{self, RunningService},
};
use uuid::Uuid;

testkit::contract_suite!(crm_api::CrmApi, common::domain::Role::Seller);

async fn crm() -> RunningService {
    service::start::<CrmApi>(&[]).await
}

/// What a seller mostly orders for a customer.
fn ring_for(customer: Uuid) -> Value {
    json!({"customer_id": customer, "material": "gold_585", "quantity": 1})
}

/// Creates an order for a customer; returns its id.
async fn create_order(seller: &Client, customer: Uuid) -> String {
    id_of(&seller.post_json("/orders", ring_for(customer)).await.expect(201))
}

/// Creates an order with a model; returns its id.
async fn create_order_with_model(seller: &Client, customer: Uuid) -> String {
    let id = create_order(seller, customer).await;
    upload(seller, &id).await.expect(200);
    id
}

/// Creates an order and places it; returns its id.
async fn submit_order(seller: &Client, customer: Uuid) -> String {
    let id = create_order_with_model(seller, customer).await;
    set_status(seller, &id, "SUBMITTED").await.expect(200);
    id
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
