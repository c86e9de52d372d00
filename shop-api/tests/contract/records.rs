//! What stands in the log.

use common::domain::Role;
use reqwest::Method;
use serde_json::{Map, Value, json};
use testkit::{
    Response, eventually,
    records::{records_with, take_hours_in_status},
    service::{PASSWORD, RunningService},
};
use tokio::io::AsyncWriteExt as _;

use crate::{
    actions, create_order, create_order_with_model, cube, number, ring, set_status, shop, upload, whole_records_of,
};

/// Asserts the record's fields beside those of every record.
#[track_caller]
fn assert_fields(record: &Map<String, Value>, expected: &Value) {
    const EVERYWHERE: [&str; 9] =
        ["v", "name", "msg", "level", "hostname", "pid", "time", "trace.id", "http.request.id"];
    let mut fields = record.clone();
    for name in EVERYWHERE {
        assert!(fields.remove(name).is_some(), "no {name} in {record:?}");
    }
    // Changes have a number of their own, and nothing else has one.
    let is_change = record["event.outcome"] == "success" && record["event.action"] != "http.request";
    assert_eq!(fields.remove("event.id").is_some(), is_change, "{record:?}");
    assert_eq!(Value::Object(fields), *expected);
}

#[tokio::test]
async fn creating_an_order_is_recorded_once() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let response = ada.post_json("/orders", ring()).await;
    let records = whole_records_of(&response);
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
    assert_eq!(actions(&whole_records_of(&create().await)), ["order.created", "http.request"]);
    assert_eq!(actions(&whole_records_of(&create().await)), ["http.request"]);
}

#[tokio::test]
async fn an_upload_is_recorded_and_the_status_only_if_it_changed() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let uploaded = json!({
        "event.action": "order.model_uploaded", "event.outcome": "success", "order.id": id,
        "customer.id": ada.account(), "file.size": cube().len(), "file.extension": "stl",
    });
    let mut first = whole_records_of(&upload(&ada, &id).await);
    assert_eq!(actions(&first), ["order.model_uploaded", "order.status_changed", "http.request"]);
    assert_fields(&first[0], &uploaded);
    take_hours_in_status(&mut first[1], 0.0);
    assert_fields(
        &first[1],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": ada.account(), "order.status": "FILE_UPLOADED", "order.status_from": "INITIATED"}),
    );
    assert_eq!(first[2]["http.route"], "/orders/{id}/model");

    let replaced = whole_records_of(&upload(&ada, &id).await);
    assert_eq!(actions(&replaced), ["order.model_uploaded", "http.request"]);
    assert_fields(&replaced[0], &uploaded);
}

#[tokio::test]
async fn submitting_is_recorded_once() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let mut records = whole_records_of(&set_status(&ada, &id, "SUBMITTED").await);
    assert_eq!(actions(&records), ["order.status_changed", "http.request"]);
    take_hours_in_status(&mut records[0], 0.0);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": ada.account(), "order.status": "SUBMITTED", "order.status_from": "FILE_UPLOADED"}),
    );
    let refused = set_status(&ada, &id, "SUBMITTED").await;
    assert_eq!(actions(&whole_records_of(&refused)), ["http.request"]);
}

#[tokio::test]
async fn a_requests_records_are_in_its_callers_trace() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = ada.request(Method::POST, "/orders").header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let records = whole_records_of(&Response::to(request.json(&ring())).await);
    assert_eq!(actions(&records), ["order.created", "http.request"]);
    assert!(records.iter().all(|record| record["trace.id"] == trace), "{records:?}");
}

/// Tries to log in and returns the record of what became of it, beside the request's own.
async fn login_record(shop: &RunningService, login: &str, password: &str) -> Map<String, Value> {
    let response = shop.anonymous().post_json("/sessions", json!({"login": login, "password": password})).await;
    let records = whole_records_of(&response);
    response.expect_problem(401, "wrong_credentials");
    let [login, request] = <[_; 2]>::try_from(records).expect("two records");
    assert_eq!(request["event.action"], "http.request");
    assert!(!request.contains_key("user.id"), "nobody has proved who they are: {request:?}");
    login
}

#[tokio::test]
async fn the_third_failed_login_in_a_row_is_a_warning() {
    let shop = shop().await;
    let (account, login) = shop.account(Role::Customer).await;
    for _ in 0..2 {
        let record = login_record(&shop, &login, "not the password").await;
        assert_eq!(record["level"], 30);
        assert_fields(
            &record,
            &json!({"event.action": "auth.login_failed", "event.outcome": "failure", "user.id": account,
                    "source.ip": "127.0.0.0"}),
        );
    }
    for failures in [3, 4] {
        let record = login_record(&shop, &login, "not the password").await;
        assert_eq!(record["level"], 40);
        assert_fields(
            &record,
            &json!({"event.action": "auth.login_failed_repeatedly", "event.outcome": "failure", "user.id": account,
                    "source.ip": "127.0.0.0", "auth.failures": failures}),
        );
    }
    shop.anonymous().log_in(&login, PASSWORD).await;
    assert_eq!(login_record(&shop, &login, "not the password").await["event.action"], "auth.login_failed");
}

#[tokio::test]
async fn failures_more_than_fifteen_minutes_apart_are_not_in_a_row() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    for _ in 0..4 {
        assert_eq!(login_record(&shop, &login, "not the password").await["event.action"], "auth.login_failed");
        sqlx::query("UPDATE accounts SET failed_at = failed_at - interval '16 minutes'")
            .execute(shop.tables())
            .await
            .expect("a change");
    }
}

#[tokio::test]
async fn a_login_that_nobody_has_is_recorded_as_a_hash() {
    let shop = shop().await;
    let first = login_record(&shop, "hunter2, typed into the wrong field", PASSWORD).await;
    assert_fields(
        &first,
        &json!({"event.action": "auth.login_failed", "event.outcome": "failure", "user.hash": first["user.hash"],
                "source.ip": "127.0.0.0"}),
    );
    let again = login_record(&shop, "hunter2, typed into the wrong field", PASSWORD).await;
    let other = login_record(&shop, "somebody else", PASSWORD).await;
    assert_eq!(again["user.hash"], first["user.hash"]);
    assert_ne!(other["user.hash"], first["user.hash"]);
    assert!(records_with("name", "shop-api").iter().all(|record| !json!(record).to_string().contains("hunter2")));
}

#[tokio::test]
async fn nothing_that_people_type_gets_into_the_log() {
    let shop = shop().await;
    let ada = shop.anonymous().register("ada.lovelace@example.org", "Countess of Lovelace 1815").await;
    let forged = "engraving\",\"level\":50,\"msg\":\"forged\"}\n{\"forged\":true";
    let order = json!({"material": "gold_585", "quantity": 1, "comment": forged});
    let id = number(&ada.post_json("/orders", order).await.expect(201));
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

#[tokio::test]
async fn a_request_whose_client_leaves_at_once_is_recorded_as_well() {
    let shop = shop().await;
    let address = shop.anonymous().base().trim_start_matches("http://").to_owned();
    for attempt in 0..5 {
        let id = format!("gone-at-once-{}-{attempt}", std::process::id());
        let mut client = tokio::net::TcpStream::connect(&address).await.expect("a connection");
        let request = format!("GET /health/live HTTP/1.1\r\nHost: shop\r\nX-Request-Id: {id}\r\n\r\n");
        client.write_all(request.as_bytes()).await.expect("a sent request");
        drop(client);
        let record = eventually("the request's record", async || {
            records_with("http.request.id", &id).pop().ok_or("there is none")
        })
        .await;
        assert_eq!(record["event.action"], "http.request");
    }
}
