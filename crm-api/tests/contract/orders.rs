//! A seller's orders for customers.

use common::{auth::accounts, domain::Role};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Response};
use uuid::Uuid;

use crate::{create_order, crm, get_order, id_of, ring_for, set_status, statuses, upload};

async fn create(seller: &Client, key: &str, order: &Value) -> Response {
    Response::to(seller.request(Method::POST, "/orders").header("Idempotency-Key", key).json(order)).await
}

#[tokio::test]
async fn a_seller_orders_for_a_customer() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let mut asked = ring_for(customer);
    asked["comment"] = json!("by phone");
    let response = seller.post_json("/orders", asked).await;
    let location = response.header("location").expect("Location").to_owned();
    let order = response.expect(201);
    assert_eq!(location, format!("/orders/{}", id_of(&order)));
    assert_eq!(
        order,
        json!({
            "id": order["id"], "status": "INITIATED", "customer_id": customer, "material": "gold_585", "quantity": 1,
            "comment": "by phone", "model": null, "price": null,
            "created_at": order["created_at"], "updated_at": order["created_at"],
        })
    );
    let found = seller.get(&location).await.expect(200);
    let by_seller = json!({"status": "INITIATED", "at": order["created_at"],
                           "actor": format!("seller:{}", seller.account()), "service": "crm-api"});
    assert_eq!(found["history"], json!([by_seller]));
}

#[tokio::test]
async fn every_seller_sees_every_order() {
    let crm = crm().await;
    let (one, other) = (crm.seller().await, crm.seller().await);
    let id = create_order(&one, crm.customer_account().await).await;
    upload(&other, &id).await.expect(200);
    set_status(&one, &id, "SUBMITTED").await.expect(200);
    let order = get_order(&other, &id).await;
    let actors: Vec<_> =
        order["history"].as_array().expect("a history").iter().map(|change| &change["actor"]).collect();
    let [one, other] = [one, other].map(|seller| json!(format!("seller:{}", seller.account())));
    assert_eq!(actors, [&one, &other, &one]);
    assert_eq!(statuses(&order), ["INITIATED", "FILE_UPLOADED", "SUBMITTED"]);
}

#[tokio::test]
async fn only_an_enabled_customer_can_be_ordered_for() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let (disabled, login) = crm.account(Role::Customer).await;
    accounts::disable(&crm.units(), &login).await.expect("it is disabled");
    for unknown in [Uuid::now_v7(), Uuid::nil(), seller.account(), disabled] {
        seller.post_json("/orders", ring_for(unknown)).await.expect_problem(422, "unknown_customer");
    }
    assert_eq!(seller.get("/orders").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn fields_that_are_missing_unknown_or_out_of_bounds_are_refused() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let with = |field: &str, value: Value| {
        let mut order = ring_for(customer);
        order[field] = value;
        order
    };
    for body in [
        with("quantity", json!(0)),
        with("quantity", json!(1001)),
        with("quantity", json!("1")),
        with("material", json!("wood")),
        with("comment", json!("x".repeat(2001))),
        with("comment", json!("a\0b")),
        with("customer_id", json!("ada")),
        with("customer_id", json!(null)),
        with("price", json!(1)),
        json!({"material": "gold_585", "quantity": 1}),
    ] {
        seller.post_json("/orders", body).await.expect_problem(422, "invalid_request");
    }
    seller.post_json("/orders", with("quantity", json!(1000))).await.expect(201);
}

#[tokio::test]
async fn what_is_no_order_is_not_found_whatever_is_asked_of_it() {
    let crm = crm().await;
    let seller = crm.seller().await;
    for id in ["A-999999", "P-999999", "a-100000", "A-1", "%20", "%FF"] {
        seller.get(&format!("/orders/{id}")).await.expect_problem(404, "order_not_found");
        seller.get(&format!("/orders/{id}/model")).await.expect_problem(404, "order_not_found");
        upload(&seller, id).await.expect_problem(404, "order_not_found");
        set_status(&seller, id, "SUBMITTED").await.expect_problem(404, "order_not_found");
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_response_and_another_one_is_refused() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let first = create(&seller, "key", &ring_for(customer)).await.expect(201);
    assert_eq!(create(&seller, "key", &ring_for(customer)).await.expect(201), first);
    let for_another = ring_for(crm.customer_account().await);
    create(&seller, "key", &for_another).await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(seller.get("/orders").await.expect(200)["items"], json!([first]));
}
