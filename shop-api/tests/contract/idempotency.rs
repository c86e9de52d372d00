//! `Idempotency-Key`: a client that doesn't know whether an order was created repeats its request.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Response};

use crate::{id_of, ring, shop, upload};

async fn create(customer: &Client, key: &str, order: &Value) -> Response {
    Response::to(customer.request(Method::POST, "/orders").header("Idempotency-Key", key).json(order)).await
}

async fn orders_of(customer: &Client) -> usize {
    customer.get("/orders").await.expect(200)["items"].as_array().expect("a list").len()
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_response() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let first = create(&ada, "one ring", &ring()).await;
    // The order goes on meanwhile; the response stays.
    let location = first.header("location").expect("Location").to_owned();
    let order = first.expect(201);
    upload(&ada, &id_of(&order)).await.expect(200);
    let again = create(&ada, "one ring", &ring()).await;
    assert_eq!(again.header("location"), Some(location.as_str()));
    assert_eq!(again.expect(201), order);
    assert_eq!(orders_of(&ada).await, 1);
}

#[tokio::test]
async fn without_a_key_or_with_another_one_it_is_another_order() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for key in ["a", "b", &"k".repeat(255)] {
        create(&ada, key, &ring()).await.expect(201);
    }
    ada.post_json("/orders", ring()).await.expect(201);
    ada.post_json("/orders", ring()).await.expect(201);
    assert_eq!(orders_of(&ada).await, 5);
}

#[tokio::test]
async fn the_key_of_another_request_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    create(&ada, "key", &ring()).await.expect(201);
    for other in [
        json!({"material": "gold_585", "quantity": 2}),
        json!({"material": "gold_750", "quantity": 1}),
        json!({"material": "gold_585", "quantity": 1, "comment": "and another"}),
    ] {
        create(&ada, "key", &other).await.expect_problem(422, "idempotency_key_reused");
    }
    assert_eq!(orders_of(&ada).await, 1);
}

#[tokio::test]
async fn a_key_is_its_customers_own() {
    let shop = shop().await;
    let (ada, bob) = (shop.customer().await, shop.customer().await);
    let (hers, his) = (create(&ada, "key", &ring()).await.expect(201), create(&bob, "key", &ring()).await.expect(201));
    assert_ne!(hers["id"], his["id"]);
    assert_eq!(his["customer_id"], bob.account().to_string());
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let shop = shop().await;
    let ada = shop.customer().await;
    create(&ada, "key", &json!({"material": "gold_585", "quantity": 0})).await.expect_problem(422, "invalid_request");
    create(&ada, "key", &ring()).await.expect(201);
}

#[tokio::test]
async fn a_key_that_is_empty_too_long_or_not_printable_ascii_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for key in ["", &"k".repeat(256), "schlüssel", "a\ttab"] {
        create(&ada, key, &ring()).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(orders_of(&ada).await, 0);
}
