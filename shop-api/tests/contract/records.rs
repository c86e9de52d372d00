//! What stands in the log.

use reqwest::Method;
use serde_json::json;
use testkit::{
    Response,
    records::{assert_fields, records_with, take_hours_in_status},
};

use crate::{
    actions, create_order, create_order_with_model, cube, id_of, ring, set_status, shop, upload, valid_records_of,
};

#[tokio::test]
async fn creating_an_order_is_recorded_once() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let response = ada.post_json("/orders", ring()).await;
    let records = valid_records_of(&response);
    assert_eq!(actions(&records), ["order.created", "http.request"]);
    let order = response.expect(201);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.created", "event.outcome": "success",
                "order.id": order["id"], "order.status": "INITIATED", "customer.id": ada.account()}),
    );
    assert_eq!((&records[0]["level"], &records[0]["name"]), (&json!(30), &json!("shop-api")));
    assert_fields(
        &records[1],
        &json!({"event.action": "http.request", "event.outcome": "success", "http.request.method": "POST",
                "http.route": "/orders", "http.response.status_code": 201, "user.id": ada.account(),
                "event.duration": records[1]["event.duration"]}),
    );
    assert_eq!(records[0]["trace.id"], records[1]["trace.id"]);
}

#[tokio::test]
async fn a_repeated_request_is_recorded_but_not_as_another_order() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let create = || Response::to(ada.request(Method::POST, "/orders").header("Idempotency-Key", "key").json(&ring()));
    assert_eq!(actions(&valid_records_of(&create().await)), ["order.created", "http.request"]);
    assert_eq!(actions(&valid_records_of(&create().await)), ["http.request"]);
}

#[tokio::test]
async fn an_upload_is_recorded_and_the_status_only_if_it_changed() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let uploaded = json!({
        "event.action": "order.model_uploaded", "event.outcome": "success", "order.id": id,
        "customer.id": ada.account(), "file.size": cube().len(), "file.extension": "stl", "model.unit": "mm",
    });
    let mut first = valid_records_of(&upload(&ada, &id).await);
    assert_eq!(actions(&first), ["order.model_uploaded", "order.status_changed", "http.request"]);
    assert_fields(&first[0], &uploaded);
    take_hours_in_status(&mut first[1], 0.0);
    assert_fields(
        &first[1],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": ada.account(), "order.status": "FILE_UPLOADED", "order.status_from": "INITIATED"}),
    );
    assert_eq!(first[2]["http.route"], "/orders/{id}/model");

    let replaced = valid_records_of(&upload(&ada, &id).await);
    assert_eq!(actions(&replaced), ["order.model_uploaded", "http.request"]);
    assert_fields(&replaced[0], &uploaded);
}

#[tokio::test]
async fn submitting_is_recorded_once() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let mut records = valid_records_of(&set_status(&ada, &id, "SUBMITTED").await);
    assert_eq!(actions(&records), ["order.status_changed", "http.request"]);
    take_hours_in_status(&mut records[0], 0.0);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": ada.account(), "order.status": "SUBMITTED", "order.status_from": "FILE_UPLOADED"}),
    );
    let refused = set_status(&ada, &id, "SUBMITTED").await;
    assert_eq!(actions(&valid_records_of(&refused)), ["http.request"]);
}

#[tokio::test]
async fn a_requests_records_are_in_its_callers_trace() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = ada.request(Method::POST, "/orders").header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let records = valid_records_of(&Response::to(request.json(&ring())).await);
    assert_eq!(actions(&records), ["order.created", "http.request"]);
    assert!(records.iter().all(|record| record["trace.id"] == trace), "{records:?}");
}

#[tokio::test]
async fn nothing_that_people_type_gets_into_the_log() {
    let shop = shop().await;
    let ada = shop.anonymous().register("ada.lovelace@example.org", "Countess of Lovelace 1815").await;
    let forged = "engraving\",\"level\":50,\"msg\":\"forged\"}\n{\"forged\":true";
    let order = json!({"material": "gold_585", "quantity": 1, "comment": forged});
    let id = id_of(&ada.post_json("/orders", order).await.expect(201));
    let path = format!("/orders/{id}/model?filename=for%20Byron%22%0A.stl");
    ada.put_bytes(&path, cube()).await.expect_problem(422, "invalid_request");
    ada.put_bytes(&format!("/orders/{id}/model?filename=for%20Byron%22.stl"), cube()).await.expect(200);
    ada.get("/for%20Byron").await.expect_problem(404, "unknown_path");
    let request =
        ada.request(Method::GET, "/orders").header("User-Agent", "for Byron").header("X-Request-Id", "for Byron");
    Response::to(request).await.expect(200);
    shop.anonymous()
        .post_json("/sessions", json!({"login": "ada.lovelace@example.org", "password": "for Byron"}))
        .await;
    ada.delete("/sessions/current").await.expect(204);

    let log = json!(records_with("name", "shop-api")).to_string();
    assert!(log.contains(&id));
    for typed in ["lovelace", "Countess", "engraving", "forged", "Byron", ada.token()] {
        assert!(!log.contains(typed), "{typed} is in the log");
    }
}
