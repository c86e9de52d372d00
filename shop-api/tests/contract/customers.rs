//! Registering.

use serde_json::{Value, json};
use testkit::service::PASSWORD;

use crate::shop;

#[tokio::test]
async fn who_registers_can_log_in() {
    let shop = shop().await;
    let credentials = json!({"login": "ada@example.org", "password": PASSWORD});
    let registered = shop.anonymous().post_json("/customers", credentials.clone()).await.expect(201);
    assert_eq!(registered.as_object().expect("an object").keys().collect::<Vec<_>>(), ["customer_id"]);
    let session = shop.anonymous().post_json("/sessions", credentials).await.expect(201);
    assert_eq!(session["account_id"], registered["customer_id"]);
    assert_eq!(session["role"], "customer");
}

#[tokio::test]
async fn a_login_that_is_taken_is_a_conflict() {
    let shop = shop().await;
    shop.anonymous().register("ada", PASSWORD).await;
    let again = json!({"login": "ada", "password": "another good password"});
    shop.anonymous().post_json("/customers", again).await.expect_problem(409, "login_taken");
    shop.anonymous().log_in("ada", PASSWORD).await;
}

#[tokio::test]
async fn of_several_who_want_a_login_at_once_one_gets_it() {
    let shop = shop().await;
    let register = || async {
        shop.anonymous().post_json("/customers", json!({"login": "ada", "password": PASSWORD})).await.status
    };
    let mut responses: Vec<u16> = futures::future::join_all((0..5).map(|_| register())).await;
    responses.sort_unstable();
    assert_eq!(responses, [201, 409, 409, 409, 409]);
}

#[tokio::test]
async fn a_weak_password_is_refused() {
    let shop = shop().await;
    for weak in ["", "7 chars", "aaaaaaaaaaaaaaaa", "password123", "qwertyuiop", &"long enough, really. ".repeat(7)] {
        let credentials = json!({"login": "ada", "password": weak});
        shop.anonymous().post_json("/customers", credentials).await.expect_problem(422, "weak_password");
    }
    shop.anonymous().register("ada", "four words in a row").await;
}

#[tokio::test]
async fn a_login_that_nobody_could_type_is_refused() {
    let shop = shop().await;
    for login in ["", "ab", " ada", "ada ", "a\nda", "a\0da", &"a".repeat(129)] {
        let credentials = json!({"login": login, "password": PASSWORD});
        shop.anonymous().post_json("/customers", credentials).await.expect_problem(422, "invalid_request");
    }
    shop.anonymous().register(&"ä".repeat(128), PASSWORD).await;
}

#[tokio::test]
async fn fields_that_are_missing_unknown_or_of_another_type_are_refused() {
    let shop = shop().await;
    for body in [
        json!({"login": "ada"}),
        json!({"password": PASSWORD}),
        json!({"login": "ada", "password": PASSWORD, "role": "seller"}),
        json!({"login": 1, "password": PASSWORD}),
        json!({"login": "ada", "password": null}),
        json!(["ada", 1]),
        Value::Null,
    ] {
        shop.anonymous().post_json("/customers", body).await.expect_problem(422, "invalid_request");
    }
}
