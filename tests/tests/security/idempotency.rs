//! `Idempotency-Key` wherever orders are created: in the shop, in the CRM, and by partners.

use crm_api::CrmApi;
use futures::future::join_all;
use mes_api::MesApi;
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::json;
use shop_api::ShopApi;
use sqlx::Connection as _;
use testkit::{
    Response,
    service::{self, RunningService},
    solids,
};
use uuid::Uuid;

/// What a service has by default: of fifty requests at once, so many are in the database.
const CONNECTIONS: [&str; 2] = ["--database-connections", "16"];

/// What keeps the first request from ending: it holds the key's lock.
async fn hold(service: &RunningService, account: Uuid, key: &str) -> sqlx::PgConnection {
    let mut connection = sqlx::PgConnection::connect(service.database_url()).await.expect("a connection");
    let lock = sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))").bind(format!("{account}/{key}"));
    lock.execute(&mut connection).await.expect("the lock");
    connection
}

/// Creates orders of so many pieces, with one key and another, again and at once. `create` is the request without a key.
async fn keep(service: &RunningService, account: Uuid, created: u16, create: impl Fn(u32) -> RequestBuilder) {
    let send = |key: &str, quantity: u32| Response::to(create(quantity).header("Idempotency-Key", key));
    let orders = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(service.tables()).await.expect("a number")
    };

    let mut running = hold(service, account, "one").await;
    send("one", 1).await.expect_problem(409, "request_in_progress");
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut running).await.expect("the lock is free");

    let first = send("one", 1).await;
    let again = send("one", 1).await;
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.expect(created), first.expect(created));
    send("one", 2).await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(orders().await, 1);

    let responses = join_all((0..50).map(|_| send("other", 3))).await;
    let (whole, refused): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.status == created);
    for response in refused {
        response.expect_problem(409, "request_in_progress");
    }
    let whole: Vec<_> = whole.into_iter().map(|response| response.expect(created)).collect();
    assert!(!whole.is_empty() && whole.iter().all(|order| *order == whole[0]), "{whole:?}");
    assert_eq!(send("other", 3).await.expect(created), whole[0]);
    assert_eq!(orders().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_equal_orders_at_once_of_a_customer_are_one() {
    let shop = service::start::<ShopApi>(&CONNECTIONS).await;
    let ada = shop.customer().await;
    let create = |quantity: u32| {
        ada.request(Method::POST, "/orders").json(&json!({"material": "gold_585", "quantity": quantity}))
    };
    keep(&shop, ada.account(), 201, create).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_equal_orders_at_once_of_a_seller_are_one() {
    let crm = service::start::<CrmApi>(&CONNECTIONS).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let create = |quantity: u32| {
        let order = json!({"customer_id": customer, "material": "gold_585", "quantity": quantity});
        seller.request(Method::POST, "/orders").json(&order)
    };
    keep(&crm, seller.account(), 201, create).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_equal_orders_at_once_of_a_partner_are_one_with_one_model() {
    let mes = service::start::<MesApi>(&[&CONNECTIONS[..], &["--price-workers", "0"]].concat()).await;
    let partner = mes.partner().await;
    let create = |quantity: u32| {
        let model = Part::bytes(solids::cube(10.0).to_binary_stl()).file_name("ring.stl");
        let form = Form::new().text("material", "silver_925").text("quantity", quantity.to_string());
        partner.request(Method::POST, "/partner/orders").multipart(form.part("model", model))
    };
    keep(&mes, partner.account(), 202, create).await;
    assert_eq!(mes.stored_models().len(), 2);
}
