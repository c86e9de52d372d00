//! Creating orders and looking at them.

use serde_json::{Value, json};
use testkit::service::RunningService;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{create_order, create_order_with_model, cube, get_order, ring, set_status, shop, statuses, upload};

/// Numbers that no order has, well-formed or not, as they stand in a path.
const NOBODYS: [&str; 9] =
    ["A-999999", "P-999999", "a-100000", "A-1", "A-100000%20", "A-0999999", "..%2forders", "%F0%9F%92%8D", "%FF"];

async fn orders_in(shop: &RunningService) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(shop.tables()).await.expect("a count")
}

fn assert_utc(time: &Value) {
    let text = time.as_str().expect("a time");
    assert!(text.ends_with('Z') && OffsetDateTime::parse(text, &Rfc3339).is_ok(), "{text} is not RFC 3339 in UTC");
}

#[tokio::test]
async fn a_new_order_is_initiated_and_found_where_the_response_says() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let response = ada
        .post_json("/orders", json!({"material": "silver_925", "quantity": 3, "comment": "as a gift, “please”\n💍"}))
        .await;
    let location = response.header("location").expect("Location").to_owned();
    let order = response.expect(201);
    let id = order["id"].as_str().expect("a number");
    assert!(id.starts_with("A-") && id.len() == 8 && id[2..].parse::<u32>().is_ok(), "{id}");
    assert_eq!(location, format!("/orders/{id}"));
    assert_eq!(
        order,
        json!({
            "id": id, "status": "INITIATED", "customer_id": ada.account(), "material": "silver_925", "quantity": 3,
            "comment": "as a gift, “please”\n💍", "model": null, "price": null,
            "created_at": order["created_at"], "updated_at": order["created_at"],
        })
    );
    assert_utc(&order["created_at"]);

    let mut found = ada.get(&location).await.expect(200);
    assert_eq!(statuses(&found), ["INITIATED"]);
    for more in ["history", "price_failure"] {
        found.as_object_mut().expect("an object").remove(more);
    }
    assert_eq!(found, order);
}

#[tokio::test]
async fn the_history_says_what_when_who_and_where() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let submitted = set_status(&ada, &id, "SUBMITTED").await.expect(200);
    let order = get_order(&ada, &id).await;
    assert_eq!(statuses(&order), ["INITIATED", "FILE_UPLOADED", "SUBMITTED"]);
    let history = order["history"].as_array().expect("a history");
    for change in history {
        assert_eq!(change["actor"], format!("customer:{}", ada.account()));
        assert_eq!(change["service"], "shop-api");
        assert_utc(&change["at"]);
    }
    let times: Vec<_> = history
        .iter()
        .map(|change| OffsetDateTime::parse(change["at"].as_str().expect("a time"), &Rfc3339).expect("RFC 3339"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(history[0]["at"], order["created_at"]);
    assert_utc(&submitted["updated_at"]);
    assert_eq!(submitted["updated_at"], order["updated_at"]);
}

#[tokio::test]
async fn quantity_and_comment_have_bounds() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let with = |field: &str, value: Value| {
        let mut order = ring();
        order[field] = value;
        order
    };
    for quantity in [json!(1), json!(1000)] {
        ada.post_json("/orders", with("quantity", quantity)).await.expect(201);
    }
    for comment in [json!(null), json!(""), json!("ö".repeat(2000))] {
        ada.post_json("/orders", with("comment", comment)).await.expect(201);
    }
    let before = orders_in(&shop).await;
    for quantity in [json!(0), json!(-1), json!(1001), json!(2_147_483_648_i64), json!(1.5), json!("1"), json!(null)] {
        ada.post_json("/orders", with("quantity", quantity)).await.expect_problem(422, "invalid_request");
    }
    for comment in [json!("x".repeat(2001)), json!("a\0b"), json!(1)] {
        ada.post_json("/orders", with("comment", comment)).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(orders_in(&shop).await, before);
}

#[tokio::test]
async fn there_are_four_materials() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for material in ["silver_925", "gold_585", "gold_750", "platinum_950"] {
        let order = ada.post_json("/orders", json!({"material": material, "quantity": 1})).await.expect(201);
        assert_eq!(order["material"], material);
    }
    for material in [json!("gold_999"), json!("GOLD_585"), json!(""), json!(null), json!(585), json!(["gold_585"])] {
        let order = json!({"material": material, "quantity": 1});
        ada.post_json("/orders", order).await.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn fields_that_are_missing_or_unknown_are_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for body in [
        json!({"quantity": 1}),
        json!({"material": "gold_585"}),
        json!({"material": "gold_585", "quantity": 1, "price": 1}),
        json!({"material": "gold_585", "quantity": 1, "customer_id": ada.account()}),
        json!({}),
    ] {
        ada.post_json("/orders", body).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(orders_in(&shop).await, 0);
}

#[tokio::test]
async fn what_is_no_order_is_not_found_whatever_is_asked_of_it() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for id in NOBODYS {
        ada.get(&format!("/orders/{id}")).await.expect_problem(404, "order_not_found");
        upload(&ada, id).await.expect_problem(404, "order_not_found");
        set_status(&ada, id, "SUBMITTED").await.expect_problem(404, "order_not_found");
    }
    assert_eq!(shop.stored_models().len(), 0);
}

#[tokio::test]
async fn somebody_elses_order_is_as_if_there_were_none() {
    let shop = shop().await;
    let (ada, eve) = (shop.customer().await, shop.customer().await);
    let id = create_order_with_model(&ada).await;
    let before = get_order(&ada, &id).await;

    let mut problems = [
        eve.get(&format!("/orders/{id}")).await.expect_problem(404, "order_not_found"),
        eve.get("/orders/A-999999").await.expect_problem(404, "order_not_found"),
    ];
    for problem in &mut problems {
        problem["request_id"] = Value::Null;
        problem["trace_id"] = Value::Null;
    }
    assert_eq!(problems[0], problems[1]);
    eve.put_bytes(&format!("/orders/{id}/model?filename=eve.stl"), cube()).await.expect_problem(404, "order_not_found");
    for status in ["INITIATED", "FILE_UPLOADED", "SUBMITTED", "CLOSED"] {
        set_status(&eve, &id, status).await.expect_problem(404, "order_not_found");
    }
    assert_eq!(eve.get("/orders").await.expect(200)["items"], json!([]));
    assert_eq!(get_order(&ada, &id).await, before);
    assert_eq!(shop.stored_models().len(), 1);
}

#[tokio::test]
async fn a_partners_order_is_nobodys_in_the_shop() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    sqlx::query("UPDATE orders SET customer_id = NULL, partner_id = $1")
        .bind(ada.account())
        .execute(shop.tables())
        .await
        .expect("a change");
    ada.get(&format!("/orders/{id}")).await.expect_problem(404, "order_not_found");
    assert_eq!(ada.get("/orders").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_price_is_shown_once_it_is_known() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let set = async |change: &'static str| sqlx::query(change).execute(shop.tables()).await.expect("a change");
    let failure = |code: &str, detail: &str| json!({"code": code, "detail": detail});
    // As a version of the service left it that knew no codes.
    set("UPDATE orders SET price_failure = 'The model has holes.'").await;
    assert_eq!(get_order(&ada, &id).await["price_failure"], failure("unspecified", "The model has holes."));
    set("UPDATE orders SET price_failure_code = 'not_closed', price_failure_ru = 'В модели есть отверстия.'").await;
    assert_eq!(get_order(&ada, &id).await["price_failure"], failure("not_closed", "The model has holes."));
    let in_russian = ada.get_in("ru-RU, en;q=0.5", &format!("/orders/{id}")).await;
    assert_eq!(in_russian.expect(200)["price_failure"], failure("not_closed", "В модели есть отверстия."));
    set("UPDATE orders SET price_failure = NULL, price_amount_minor = 48950, price_currency = 'EUR'").await;
    let order = get_order(&ada, &id).await;
    assert_eq!(order["price"], json!({"amount_minor": 48950, "currency": "EUR"}));
    assert_eq!(order["price_failure"], Value::Null);
    assert_eq!(ada.get("/orders").await.expect(200)["items"][0]["price"], order["price"]);
}
