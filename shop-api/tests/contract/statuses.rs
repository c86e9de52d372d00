//! Submitting, and every status that customers can't set.

use common::domain::OrderStatus;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::{Response, service::RunningService};

use crate::{create_order, create_order_with_model, get_order, set_status, shop, statuses};

/// What waits for the MES: type, order, body and trace of each message.
async fn outbox(shop: &RunningService) -> Vec<(String, String, Value, Option<String>)> {
    sqlx::query_as("SELECT type, order_id, body, traceparent FROM outbox ORDER BY seq")
        .fetch_all(shop.tables())
        .await
        .expect("the outbox")
}

#[tokio::test]
async fn submitting_places_the_order_and_leaves_a_message_for_the_mes() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = ada
        .request(Method::POST, &format!("/orders/{id}/status"))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .json(&json!({"status": "SUBMITTED"}));
    let order = Response::to(request).await.expect(200);
    assert_eq!(order["status"], "SUBMITTED");
    let found = get_order(&ada, &id).await;
    assert_eq!(statuses(&found), ["INITIATED", "FILE_UPLOADED", "SUBMITTED"]);

    let [(message_type, order_id, body, traceparent)] = &outbox(&shop).await[..] else { panic!("one message") };
    assert_eq!((message_type.as_str(), order_id), ("order.submitted", &id));
    assert_eq!(body["order"], order);
    assert_eq!(body["history"], found["history"]);
    let file = shop.models().join(body["model_key"].as_str().expect("a key"));
    assert_eq!(std::fs::read(file).expect("the model").len(), order["model"]["bytes"]);
    let traceparent = traceparent.as_deref().expect("the request's trace");
    assert!(traceparent.starts_with(&format!("00-{trace}-")), "{traceparent}");
    assert!(!traceparent.contains("00f067aa0ba902b7"), "the span is the caller's own: {traceparent}");
}

#[tokio::test]
async fn submitting_without_a_model_is_a_conflict() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let problem = set_status(&ada, &id, "SUBMITTED").await.expect_problem(409, "status_skipped");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("FILE_UPLOADED")), "{problem}");
    assert_eq!(outbox(&shop).await, []);
}

#[tokio::test]
async fn submitting_twice_is_a_conflict() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    set_status(&ada, &id, "SUBMITTED").await.expect(200);
    let before = get_order(&ada, &id).await;
    set_status(&ada, &id, "SUBMITTED").await.expect_problem(409, "status_repeated");
    assert_eq!(get_order(&ada, &id).await, before);
    assert_eq!(outbox(&shop).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_submits_at_once_exactly_one_counts() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for at_once in [2, 8] {
        let id = create_order_with_model(&ada).await;
        let responses = join_all((0..at_once).map(|_| set_status(&ada, &id, "SUBMITTED"))).await;
        let (placed, refused): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.status == 200);
        assert_eq!(placed.len(), 1);
        for response in refused {
            response.expect_problem(409, "status_repeated");
        }
        let messages = outbox(&shop).await;
        assert_eq!(messages.iter().filter(|(_, order, ..)| *order == id).count(), 1);
    }
}

#[tokio::test]
async fn nothing_but_submitting_an_uploaded_order_is_possible() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for from in OrderStatus::ALL {
        sqlx::query(AssertSqlSafe(format!("UPDATE orders SET status = '{from}'")))
            .execute(shop.tables())
            .await
            .expect("a change");
        for to in OrderStatus::ALL {
            let code = match (from, to) {
                (OrderStatus::FileUploaded, OrderStatus::Submitted) => continue,
                _ if to == from => "status_repeated",
                _ if to < from => "status_undone",
                _ if from.next() == Some(to) => "status_not_settable",
                _ => "status_skipped",
            };
            set_status(&ada, &id, to.name()).await.expect_problem(409, code);
        }
        assert_eq!(get_order(&ada, &id).await["status"], from.name());
    }
    assert_eq!(outbox(&shop).await, []);
}

#[tokio::test]
async fn a_word_that_is_no_status_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let path = format!("/orders/{id}/status");
    for body in [
        json!({"status": "LOST"}),
        json!({"status": "submitted"}),
        json!({"status": ""}),
        json!({"status": null}),
        json!({"status": 3}),
        json!({"status": ["SUBMITTED"]}),
        json!({"status": "SUBMITTED", "force": true}),
        json!({}),
    ] {
        ada.post_json(&path, body).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(get_order(&ada, &id).await["status"], "FILE_UPLOADED");
}
