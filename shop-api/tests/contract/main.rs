//! What the shop promises to its customers, against a real PostgreSQL.

mod customers;
mod documentation;
mod idempotency;
mod lists;
mod models;
mod orders;
mod outages;
mod records;
mod statuses;

use serde_json::{Value, json};
use shop_api::ShopApi;
use testkit::{
    Client,
    orders::{cube, get_order, id_of, set_status, statuses, upload},
    records::{actions, valid_records_of},
    service::{self, RunningService},
};

testkit::contract_suite!(shop_api::ShopApi, common::domain::Role::Customer);

async fn shop() -> RunningService {
    service::start::<ShopApi>(&[]).await
}

/// What customers mostly ask for.
fn ring() -> Value {
    json!({"material": "gold_585", "quantity": 1})
}

/// Creates an order; returns its id.
async fn create_order(customer: &Client) -> String {
    id_of(&customer.post_json("/orders", ring()).await.expect(201))
}

/// Creates an order with a model; returns its id.
async fn create_order_with_model(customer: &Client) -> String {
    let id = create_order(customer).await;
    upload(customer, &id).await.expect(200);
    id
}
