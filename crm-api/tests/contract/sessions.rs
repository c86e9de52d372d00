//! Sellers log in and out.

use common::{auth::accounts, domain::Role};
use serde_json::json;
use testkit::service::PASSWORD;

use crate::crm;

#[tokio::test]
async fn a_seller_logs_in_and_out() {
    let crm = crm().await;
    let (account, login) = crm.account(Role::Seller).await;
    let session =
        crm.anonymous().post_json("/sessions", json!({"login": login, "password": PASSWORD})).await.expect(201);
    assert_eq!((&session["account_id"], &session["role"]), (&json!(account), &json!("seller")));
    let seller = crm.anonymous().holding(session["token"].as_str().expect("a token"), Some(account));
    seller.get("/orders").await.expect(200);
    assert_eq!(seller.delete("/sessions/current").await.status, 204);
    seller.get("/orders").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_disabled_seller_is_out_at_once() {
    let crm = crm().await;
    let (_, login) = crm.account(Role::Seller).await;
    let seller = crm.anonymous().log_in(&login, PASSWORD).await;
    accounts::disable(&crm.database(), &login).await.expect("it is disabled");
    seller.get("/orders").await.expect_problem(401, "unauthenticated");
    let credentials = json!({"login": login, "password": PASSWORD});
    crm.anonymous().post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");
}

#[tokio::test]
async fn nobody_registers_here() {
    let crm = crm().await;
    let credentials = json!({"login": "mallory", "password": PASSWORD});
    crm.anonymous().post_json("/customers", credentials).await.expect_problem(404, "unknown_path");
}
