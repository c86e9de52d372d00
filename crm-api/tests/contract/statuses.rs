//! What sellers set: `SUBMITTED`, `MANUFACTURING_APPROVED`, `CLOSED`, and nothing else.

use common::domain::OrderStatus;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Response, service::RunningService};

use crate::{
    create_order, create_order_with_model, crm, get_order, messages::priced_order, put_into_status, set_status,
    statuses,
};

/// The messages of one type that wait for the MES: body and trace.
async fn outbox(crm: &RunningService, message_type: &str) -> Vec<(Value, Option<String>)> {
    sqlx::query_as("SELECT body, traceparent FROM outbox WHERE type = $1 ORDER BY seq")
        .bind(message_type)
        .fetch_all(crm.tables())
        .await
        .expect("the outbox")
}

#[tokio::test]
async fn submitting_asks_the_mes_for_a_price() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order_with_model(&seller, crm.customer_account().await).await;
    let order = set_status(&seller, &id, "SUBMITTED").await.expect(200);
    assert_eq!(order["status"], "SUBMITTED");
    let [(body, _)] = &outbox(&crm, "order.submitted").await[..] else { panic!("one message") };
    assert_eq!(body["order"], order);
    let file = crm.models().join(body["model_key"].as_str().expect("a key"));
    assert!(file.is_file(), "{}", file.display());
}

#[tokio::test]
async fn an_order_is_approved_once_its_price_is_known() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    let trace = "5759e988bd862e3fe1be46a994272793";
    let request = seller
        .request(Method::POST, &format!("/orders/{id}/status"))
        .header("traceparent", format!("00-{trace}-53995c3f42cd8ad8-01"))
        .json(&json!({"status": "MANUFACTURING_APPROVED"}));
    let order = Response::to(request).await.expect(200);
    assert_eq!(order["status"], "MANUFACTURING_APPROVED");
    assert_eq!(order["price"], json!({"amount_minor": 48950, "currency": "EUR"}));

    let found = get_order(&seller, &id).await;
    assert_eq!(statuses(&found).last(), Some(&"MANUFACTURING_APPROVED"));
    let approved = &found["history"][4];
    assert_eq!(approved["actor"], format!("seller:{}", seller.account()));
    assert_eq!(approved["service"], "crm-api");

    let [(body, traceparent)] = &outbox(&crm, "order.approved").await[..] else { panic!("one message") };
    assert_eq!(body["history"], found["history"]);
    assert!(traceparent.as_deref().is_some_and(|text| text.starts_with(&format!("00-{trace}-"))), "{traceparent:?}");
}

#[tokio::test]
async fn an_order_without_a_price_can_not_be_approved() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order_with_model(&seller, crm.customer_account().await).await;
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect_problem(409, "status_skipped");
    set_status(&seller, &id, "SUBMITTED").await.expect(200);
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect_problem(409, "status_skipped");
    assert_eq!(outbox(&crm, "order.approved").await, []);
}

#[tokio::test]
async fn a_shipped_order_is_closed_and_the_mes_needs_not_know() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order(&seller, crm.customer_account().await).await;
    put_into_status(&crm, &id, "SHIPPED", "0 minutes").await;
    assert_eq!(set_status(&seller, &id, "CLOSED").await.expect(200)["status"], "CLOSED");
    set_status(&seller, &id, "CLOSED").await.expect_problem(409, "status_repeated");
    let messages: i64 =
        sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(crm.tables()).await.expect("a count");
    assert_eq!(messages, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_approvals_at_once_exactly_one_counts() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    let responses = join_all((0..6).map(|_| set_status(&seller, &id, "MANUFACTURING_APPROVED"))).await;
    let (approved, refused): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.status == 200);
    assert_eq!(approved.len(), 1);
    for response in refused {
        response.expect_problem(409, "status_repeated");
    }
    assert_eq!(outbox(&crm, "order.approved").await.len(), 1);
}

#[tokio::test]
async fn nothing_else_is_possible() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order(&seller, crm.customer_account().await).await;
    for from in OrderStatus::ALL {
        put_into_status(&crm, &id, from.name(), "0 minutes").await;
        for to in OrderStatus::ALL {
            use OrderStatus::{Closed, FileUploaded, ManufacturingApproved, PriceCalculated, Shipped, Submitted};
            let code = match (from, to) {
                (FileUploaded, Submitted) | (PriceCalculated, ManufacturingApproved) | (Shipped, Closed) => continue,
                _ if to == from => "status_repeated",
                _ if to < from => "status_undone",
                _ if from.next() == Some(to) => "status_not_settable",
                _ => "status_skipped",
            };
            set_status(&seller, &id, to.name()).await.expect_problem(409, code);
        }
        assert_eq!(get_order(&seller, &id).await["status"], from.name());
    }
}

#[tokio::test]
async fn a_word_that_is_no_status_is_refused() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order(&seller, crm.customer_account().await).await;
    for body in [json!({"status": "APPROVED"}), json!({"status": "closed"}), json!({"status": null}), json!({})] {
        seller.post_json(&format!("/orders/{id}/status"), body).await.expect_problem(422, "invalid_request");
    }
}
