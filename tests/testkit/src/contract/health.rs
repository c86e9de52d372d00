//! Health checks.

use common::{domain::Role, service::Definition};
use serde_json::{Value, json};

use super::outages::{HeldOrders, Outage};
use crate::{eventually, service::start};

/// The report of a service that runs without a broker here: one that needs it is degraded.
fn report<S: Definition>(database: &str, model_store: &str) -> Value {
    let needs_broker = !S::AMQP_URL.is_empty();
    let mut dependencies = json!({"database": database, "model_store": model_store});
    if needs_broker {
        dependencies["rabbitmq"] = json!("down");
    }
    let status = match (database, model_store) {
        ("down", _) => "unavailable",
        ("up", "up") if !needs_broker => "ok",
        _ => "degraded",
    };
    json!({"status": status, "dependencies": dependencies})
}

/// A service is ready, and names each dependency with its state.
pub async fn a_service_is_ready_and_names_each_dependency<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    assert_eq!(service.anonymous().get("/health/live").await.expect(200)["status"], "ok");
    assert_eq!(service.anonymous().get("/health/ready").await.expect(200), report::<S>("up", "up"));
}

/// Without the database a service is alive, and ready again when the database is back.
pub async fn without_the_database_it_is_alive_but_not_ready_until_the_database_is_back<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let outage = Outage::begin(&service).await;
    assert_eq!(service.anonymous().get("/health/ready").await.expect(503), report::<S>("down", "up"));
    service.anonymous().get("/health/live").await.expect(200);
    outage.end().await;
    eventually("the service to be ready again", async || {
        let response = service.anonymous().get("/health/ready").await;
        if response.status == 200 { Ok(()) } else { Err(response.status) }
    })
    .await;
}

/// A service whose connections are all in use is ready: it has one more to ask with.
pub async fn a_service_whose_connections_are_all_in_use_is_ready<S: Definition>(role: Role) {
    let service = start::<S>(&["--database-connections", "2"]).await;
    let client = service.logged_in(role).await;
    let mut orders = HeldOrders::of(&service).await;
    let listing = || {
        let client = client.clone();
        tokio::spawn(async move { client.get("/orders").await })
    };
    let waiting = [listing(), listing()];
    orders.keep_waiting(2).await;
    assert_eq!(service.anonymous().get("/health/ready").await.expect(200), report::<S>("up", "up"));
    orders.release().await;
    for listed in waiting {
        listed.await.expect("a response").expect(200);
    }
}

/// Without the model store a service is degraded, and ready all the same.
pub async fn without_the_model_store_it_is_degraded<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    // A file instead of the folder: no model can be there.
    std::fs::remove_dir_all(service.models()).expect("the folder goes");
    std::fs::write(service.models(), "in the way").expect("a file");
    let health = service.anonymous().get("/health/ready").await;
    std::fs::remove_file(service.models()).expect("the file goes");
    assert_eq!(health.expect(200), report::<S>("up", "down"));
}
