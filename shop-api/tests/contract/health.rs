//! Health checks.

use serde_json::json;
use testkit::eventually;

use crate::{outages::Outage, shop};

#[tokio::test]
async fn a_service_that_has_all_it_needs_is_ready() {
    let shop = shop().await;
    assert_eq!(shop.anonymous().get("/health/live").await.expect(200)["status"], "ok");
    // Neither RabbitMQ nor the MES: the shop doesn't know them.
    assert_eq!(
        shop.anonymous().get("/health/ready").await.expect(200),
        json!({"status": "ok", "dependencies": {"database": "up", "model_store": "up"}})
    );
}

#[tokio::test]
async fn without_the_database_it_is_alive_but_not_ready_until_the_database_is_back() {
    let shop = shop().await;
    let outage = Outage::begin(&shop).await;
    assert_eq!(
        shop.anonymous().get("/health/ready").await.expect(503),
        json!({"status": "unavailable", "dependencies": {"database": "down", "model_store": "up"}})
    );
    shop.anonymous().get("/health/live").await.expect(200);
    outage.end().await;
    eventually("the service to be ready again", async || {
        let response = shop.anonymous().get("/health/ready").await;
        if response.status == 200 { Ok(()) } else { Err(response.status) }
    })
    .await;
}
