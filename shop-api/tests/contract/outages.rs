//! A dependency is away: the client is told so, and the log says why.

use serde_json::{Value, json};
use testkit::{
    contract::outages::{Outage, expect_unavailable, lose_the_connection_at, repair},
    records::{assert_no_error, only_error},
};

use crate::{create_order, create_order_with_model, cube, get_order, ring, set_status, shop};

#[tokio::test]
async fn an_order_that_can_not_be_created_is_one_error() {
    let shop = shop().await;
    let ada = shop.customer().await;
    lose_the_connection_at(&shop, "orders").await;
    let response = ada.post_json("/orders", ring()).await;
    expect_unavailable(&response);
    let error = only_error(&response);
    assert_eq!(error["event.action"], "order.created");
    assert_eq!(error["error.type"], "database_unavailable");
    assert_eq!(error["customer.id"], ada.account().to_string());
    repair(&shop).await;
    create_order(&ada).await;
}

#[tokio::test]
async fn a_model_that_can_not_be_attached_is_one_error_and_changes_nothing() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    lose_the_connection_at(&shop, "orders").await;
    let response = ada.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), cube()).await;
    expect_unavailable(&response);
    let error = only_error(&response);
    assert_eq!(error["event.action"], "order.model_uploaded");
    assert_eq!(error["error.type"], "database_unavailable");
    assert_eq!((&error["order.id"], &error["customer.id"]), (&json!(id), &json!(ada.account())));
    repair(&shop).await;
    assert_eq!(get_order(&ada, &id).await["status"], "INITIATED");
}

#[tokio::test]
async fn a_status_that_can_not_be_changed_is_one_error_and_changes_nothing() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    // The last step of submitting: order and history are changed by then.
    lose_the_connection_at(&shop, "outbox").await;
    let response = set_status(&ada, &id, "SUBMITTED").await;
    expect_unavailable(&response);
    let error = only_error(&response);
    assert_eq!(error["event.action"], "order.status_changed");
    assert_eq!(error["error.type"], "database_unavailable");
    assert_eq!((&error["order.id"], &error["customer.id"]), (&json!(id), &json!(ada.account())));
    repair(&shop).await;
    assert_eq!(get_order(&ada, &id).await["status"], "FILE_UPLOADED");
    set_status(&ada, &id, "SUBMITTED").await.expect(200);
}

#[tokio::test]
async fn without_the_database_every_request_is_one_error_under_what_it_was_for() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let outage = Outage::begin(&shop).await;
    for (response, action, order) in [
        (ada.post_json("/orders", ring()).await, "order.created", None),
        (
            ada.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), cube()).await,
            "order.model_uploaded",
            Some(&id),
        ),
        (set_status(&ada, &id, "SUBMITTED").await, "order.status_changed", Some(&id)),
        (ada.get(&format!("/orders/{id}")).await, "http.request", Some(&id)),
        (ada.get("/orders").await, "http.request", None),
        (ada.delete("/sessions/current").await, "auth.logged_out", None),
    ] {
        expect_unavailable(&response);
        let error = only_error(&response);
        assert_eq!(error["event.action"], action);
        assert_eq!(error["error.type"], "database_unavailable", "{error:?}");
        assert_eq!(error.get("order.id").and_then(Value::as_str), order.map(String::as_str));
    }
    outage.end().await;
    ada.get("/orders").await.expect(200);
}

#[tokio::test]
async fn a_bug_of_ours_is_an_internal_error_without_its_words() {
    let shop = shop().await;
    let ada = shop.customer().await;
    sqlx::raw_sql("ALTER TABLE orders RENAME COLUMN comment TO remark").execute(shop.tables()).await.expect("a change");
    let response = ada.post_json("/orders", ring()).await;
    let problem = response.clone().expect_problem(500, "internal_error").to_string();
    assert!(!problem.contains("column") && !problem.contains("comment"), "{problem}");
    let error = only_error(&response);
    assert_eq!((&error["event.action"], &error["error.type"]), (&json!("order.created"), &json!("database_error")));
    assert!(error["error.message"].as_str().is_some_and(|chain| chain.contains("comment")), "{error:?}");
}

#[tokio::test]
async fn without_the_model_store_uploads_fail_as_one_error_and_orders_go_on() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    // A file where the folder should be: nothing can be put there.
    std::fs::remove_dir_all(shop.models()).expect("the folder goes");
    std::fs::write(shop.models(), "in the way").expect("a file");
    let response = ada.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), cube()).await;
    let health = shop.anonymous().get("/health/ready").await;
    create_order(&ada).await;
    std::fs::remove_file(shop.models()).expect("the file goes");

    expect_unavailable(&response);
    let error = only_error(&response);
    assert_eq!(error["event.action"], "order.model_uploaded");
    assert_eq!(error["error.type"], "model_store_unavailable");
    assert_eq!((&error["order.id"], &error["customer.id"]), (&json!(id), &json!(ada.account())));
    assert_eq!(
        health.expect(200),
        json!({"status": "degraded", "dependencies": {"database": "up", "model_store": "down"}})
    );
    assert_eq!(get_order(&ada, &id).await["status"], "INITIATED");
}

#[tokio::test]
async fn a_clients_mistake_is_no_error() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for response in [
        ada.post_json("/orders", json!({"material": "wood", "quantity": 1})).await,
        ada.post_json("/orders", json!({"material": "gold_585", "quantity": 0})).await,
        ada.get("/orders/A-999999").await,
        ada.get("/orders?limit=0").await,
        ada.get("/nowhere").await,
        ada.put("/orders").await,
        ada.put_bytes(&format!("/orders/{id}/model?filename=ring.exe"), cube()).await,
        ada.put_bytes(&format!("/orders/{id}/model?filename=ring.stl"), "").await,
        set_status(&ada, &id, "SUBMITTED").await,
        set_status(&ada, &id, "LOST").await,
        shop.anonymous().get("/orders").await,
        shop.seller().await.get("/orders").await,
    ] {
        assert_no_error(&response);
    }
}
