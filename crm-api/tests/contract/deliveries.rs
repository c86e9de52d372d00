//! The carrier says that the customer has the jewel.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use testkit::Response;

use crate::{create_order, crm, get_order, put_into_status};

#[tokio::test]
async fn a_delivery_closes_a_shipped_order_whichever_way_the_key_comes() {
    let crm = crm().await;
    let (seller, carrier) = (crm.seller().await, crm.carrier().await);
    for header in ["Authorization", "X-API-Key"] {
        let id = create_order(&seller, crm.customer_account().await).await;
        put_into_status(&crm, &id, "SHIPPED", "0 minutes").await;
        let key =
            if header == "X-API-Key" { carrier.token().to_owned() } else { format!("Bearer {}", carrier.token()) };
        let request = crm.anonymous().request(Method::POST, "/deliveries").header(header, key);
        let order = Response::to(request.json(&json!({"order_id": id}))).await.expect(200);
        assert_eq!((&order["id"], &order["status"]), (&json!(id), &json!("CLOSED")));
        let closed = get_order(&seller, &id).await["history"].as_array().and_then(|all| all.last().cloned());
        let closed = closed.expect("a change");
        assert_eq!(closed["status"], "CLOSED");
        assert_eq!(closed["actor"], format!("carrier:{}", carrier.account()));
        assert_eq!(closed["service"], "crm-api");
    }
}

#[tokio::test]
async fn what_is_not_on_its_way_can_not_be_delivered() {
    let crm = crm().await;
    let (seller, carrier) = (crm.seller().await, crm.carrier().await);
    let id = create_order(&seller, crm.customer_account().await).await;
    for status in ["INITIATED", "SUBMITTED", "MANUFACTURING_STARTED", "PACKAGING"] {
        put_into_status(&crm, &id, status, "0 minutes").await;
        carrier.post_json("/deliveries", json!({"order_id": id})).await.expect_problem(409, "status_skipped");
        assert_eq!(get_order(&seller, &id).await["status"], status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_counts_once() {
    let crm = crm().await;
    let (seller, carrier) = (crm.seller().await, crm.carrier().await);
    let id = create_order(&seller, crm.customer_account().await).await;
    put_into_status(&crm, &id, "SHIPPED", "0 minutes").await;
    let deliver = || carrier.post_json("/deliveries", json!({"order_id": id}));
    let mut responses: Vec<u16> =
        join_all((0..4).map(|_| deliver())).await.iter().map(|response| response.status).collect();
    responses.sort_unstable();
    assert_eq!(responses, [200, 409, 409, 409]);
    deliver().await.expect_problem(409, "status_repeated");
}

#[tokio::test]
async fn what_is_no_order_can_not_be_delivered() {
    let crm = crm().await;
    let carrier = crm.carrier().await;
    for id in ["A-999999", "P-999999"] {
        carrier.post_json("/deliveries", json!({"order_id": id})).await.expect_problem(404, "order_not_found");
    }
    for body in [
        json!({"order_id": "100042"}),
        json!({"order_id": ""}),
        json!({"order_id": null}),
        json!({"order_id": 100042}),
        json!({"order_id": "A-100042", "status": "CLOSED"}),
        json!({}),
    ] {
        carrier.post_json("/deliveries", body).await.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn a_disabled_carriers_key_is_dead() {
    let crm = crm().await;
    let (carrier, other) = (crm.carrier().await, crm.carrier().await);
    sqlx::query("UPDATE accounts SET disabled_at = now() WHERE id = $1")
        .bind(carrier.account())
        .execute(crm.tables())
        .await
        .expect("a change");
    let delivery = json!({"order_id": "A-999999"});
    carrier.post_json("/deliveries", delivery.clone()).await.expect_problem(401, "unauthenticated");
    other.post_json("/deliveries", delivery).await.expect_problem(404, "order_not_found");
}
