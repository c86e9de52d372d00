//! Logging in and out, and how sessions end.

use common::{auth::accounts, domain::Role};
use serde_json::{Value, json};
use shop_api::ShopApi;
use sqlx::AssertSqlSafe;
use testkit::{
    Response,
    service::{self, PASSWORD, RunningService},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::shop;

async fn log_in(shop: &RunningService, login: &str, password: &str) -> Response {
    shop.anonymous().post_json("/sessions", json!({"login": login, "password": password})).await
}

/// Changes all sessions or accounts behind the service's back.
async fn set(shop: &RunningService, change: &str) {
    sqlx::query(AssertSqlSafe(format!("UPDATE {change}"))).execute(shop.tables()).await.expect("a change");
}

#[tokio::test]
async fn logging_in_gives_a_token_for_the_account() {
    let shop = service::start::<ShopApi>(&["--session-hours", "3"]).await;
    let (account, login) = shop.account(Role::Customer).await;
    let session = log_in(&shop, &login, PASSWORD).await.expect(201);
    assert_eq!(session["account_id"], account.to_string());
    assert_eq!(session["role"], "customer");
    assert!(session["token"].as_str().is_some_and(|token| token.len() >= 32), "{session}");

    let expires_at = session["expires_at"].as_str().expect("a time");
    assert!(expires_at.ends_with('Z'), "{expires_at} is not in UTC");
    let left = OffsetDateTime::parse(expires_at, &Rfc3339).expect("RFC 3339") - OffsetDateTime::now_utc();
    assert!(left > Duration::minutes(179) && left <= Duration::hours(3), "{left}");
}

#[tokio::test]
async fn wrong_unknown_and_disabled_look_the_same() {
    let shop = shop().await;
    let (_, known) = shop.account(Role::Customer).await;
    let (_, disabled) = shop.account(Role::Customer).await;
    accounts::disable(&shop.database(), &disabled).await.expect("it is disabled");
    shop.with_key(Role::Partner).await;

    let refusal = |response: Response| {
        let headers: Vec<_> = response.headers.keys().map(ToString::to_string).collect();
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        let mut problem = response.expect_problem(401, "wrong_credentials");
        for own in ["request_id", "trace_id"] {
            problem[own] = Value::Null;
        }
        (headers, problem)
    };
    let wrong = refusal(log_in(&shop, &known, "not the password").await);
    assert_eq!(refusal(log_in(&shop, "nobody", PASSWORD).await), wrong);
    assert_eq!(refusal(log_in(&shop, "no\0body", PASSWORD).await), wrong);
    assert_eq!(refusal(log_in(&shop, "", "").await), wrong);
    assert_eq!(refusal(log_in(&shop, &disabled, PASSWORD).await), wrong);
}

#[tokio::test]
async fn after_many_failures_an_account_has_to_wait_but_not_for_ever() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    let mut attempts = 0;
    let throttled = loop {
        attempts += 1;
        assert!(attempts < 20, "never throttled");
        let response = log_in(&shop, &login, "not the password").await;
        if response.status == 429 {
            break response;
        }
        response.expect_problem(401, "wrong_credentials");
    };
    assert!(attempts > 5, "throttled after {attempts} attempts");
    let wait: u64 = throttled.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait} s");
    throttled.expect_problem(429, "too_many_attempts");

    // The right password has to wait as well: the response would tell that it is right.
    set(&shop, "accounts SET failures = 20, failed_at = now()").await;
    let response = log_in(&shop, &login, PASSWORD).await;
    let wait: u64 = response.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((25..=30).contains(&wait), "{wait} s");
    response.expect_problem(429, "too_many_attempts");

    set(&shop, "accounts SET failed_at = now() - interval '31 seconds'").await;
    log_in(&shop, &login, PASSWORD).await.expect(201);
}

#[tokio::test]
async fn nobody_else_has_to_wait() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    set(&shop, "accounts SET failures = 20, failed_at = now()").await;
    let (_, other) = shop.account(Role::Customer).await;
    log_in(&shop, &login, PASSWORD).await.expect_problem(429, "too_many_attempts");
    log_in(&shop, &other, PASSWORD).await.expect(201);
}

#[tokio::test]
async fn a_success_makes_the_count_start_anew() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    for _ in 0..3 {
        for _ in 0..4 {
            log_in(&shop, &login, "not the password").await.expect_problem(401, "wrong_credentials");
        }
        log_in(&shop, &login, PASSWORD).await.expect(201);
    }
}

#[tokio::test]
async fn logging_out_ends_this_session_at_once_and_no_other() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    let (phone, laptop) =
        (shop.anonymous().log_in(&login, PASSWORD).await, shop.anonymous().log_in(&login, PASSWORD).await);
    let response = phone.delete("/sessions/current").await;
    assert_eq!((response.status, response.bytes.len()), (204, 0));
    phone.get("/orders").await.expect_problem(401, "unauthenticated");
    phone.delete("/sessions/current").await.expect_problem(401, "unauthenticated");
    laptop.get("/orders").await.expect(200);
}

#[tokio::test]
async fn there_is_nothing_to_log_out_of_without_a_session() {
    let shop = shop().await;
    let (carrier, stranger) = (shop.carrier().await, shop.anonymous().holding("guessed", None));
    for client in [shop.anonymous(), &carrier, &stranger] {
        client.delete("/sessions/current").await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let shop = service::start::<ShopApi>(&["--session-idle-minutes", "10"]).await;
    let ada = shop.customer().await;
    for _ in 0..3 {
        set(&shop, "sessions SET used_at = now() - interval '9 minutes'").await;
        ada.get("/orders").await.expect(200);
    }
    let idle: bool = sqlx::query_scalar("SELECT bool_or(used_at < now() - interval '1 minute') FROM sessions")
        .fetch_one(shop.tables())
        .await
        .expect("a session");
    assert!(!idle, "the session's use is not noted");
    set(&shop, "sessions SET used_at = now() - interval '11 minutes'").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_at_its_time_however_busy() {
    let shop = shop().await;
    let ada = shop.customer().await;
    ada.get("/orders").await.expect(200);
    set(&shop, "sessions SET expires_at = now()").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn disabling_an_account_ends_its_sessions_at_once_and_for_good() {
    let shop = shop().await;
    let (_, login) = shop.account(Role::Customer).await;
    let (ada, other) = (shop.anonymous().log_in(&login, PASSWORD).await, shop.customer().await);
    accounts::disable(&shop.database(), &login).await.expect("it is disabled");
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
    other.get("/orders").await.expect(200);
    set(&shop, "accounts SET disabled_at = NULL").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_database_keeps_neither_passwords_nor_tokens() {
    let shop = shop().await;
    let (ada, partner) = (shop.customer().await, shop.partner().await);
    let rows = "SELECT string_agg(text, ' ') FROM (SELECT accounts::text FROM accounts UNION ALL
                SELECT sessions::text FROM sessions UNION ALL SELECT api_keys::text FROM api_keys) AS rows (text)";
    let text: String = sqlx::query_scalar(rows).fetch_one(shop.tables()).await.expect("rows");
    for secret in [PASSWORD, ada.token(), partner.token()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("$argon2id$"), "{text}");
}
