//! Logging in and out, and how sessions end.

use common::{auth::accounts, domain::Role, service::Definition};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Response,
    service::{PASSWORD, RunningService, start},
};

async fn log_in(service: &RunningService, login: &str, password: &str) -> Response {
    service.anonymous().post_json("/sessions", json!({"login": login, "password": password})).await
}

/// Changes all sessions or accounts behind the service's back.
async fn set(service: &RunningService, change: &str) {
    sqlx::query(AssertSqlSafe(format!("UPDATE {change}"))).execute(service.tables()).await.expect("a change");
}

/// Logging in returns a token for the account.
pub async fn logging_in_returns_a_token_for_the_account<S: Definition>(role: Role) {
    let service = start::<S>(&["--session-hours", "3"]).await;
    let (account, login) = service.account(role).await;
    let session = log_in(&service, &login, PASSWORD).await.expect(201);
    assert_eq!(session["account_id"], account.to_string());
    assert_eq!(session["role"], role.name());
    assert!(session["token"].as_str().is_some_and(|token| token.len() >= 32), "{session}");

    let expires_at = session["expires_at"].as_str().expect("a time");
    assert!(expires_at.ends_with('Z'), "{expires_at} is not in UTC");
    let left = OffsetDateTime::parse(expires_at, &Rfc3339).expect("RFC 3339") - OffsetDateTime::now_utc();
    assert!(left > Duration::minutes(179) && left <= Duration::hours(3), "{left}");
}

/// Wrong unknown and disabled look the same.
pub async fn wrong_unknown_and_disabled_look_the_same<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, known) = service.account(role).await;
    let (_, disabled) = service.account(role).await;
    accounts::disable(&service.units(), &disabled).await.expect("it is disabled");
    service.with_key(Role::Partner).await;

    let refusal = |response: Response| {
        let headers: Vec<_> = response.headers.keys().map(ToString::to_string).collect();
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        let mut problem = response.expect_problem(401, "wrong_credentials");
        for own in ["request_id", "trace_id"] {
            problem[own] = Value::Null;
        }
        (headers, problem)
    };
    let wrong = refusal(log_in(&service, &known, "not the password").await);
    assert_eq!(refusal(log_in(&service, "nobody", PASSWORD).await), wrong);
    assert_eq!(refusal(log_in(&service, "no\0body", PASSWORD).await), wrong);
    assert_eq!(refusal(log_in(&service, "", "").await), wrong);
    assert_eq!(refusal(log_in(&service, &disabled, PASSWORD).await), wrong);
}

/// After many failures an account has to wait but not for ever.
pub async fn after_many_failures_an_account_has_to_wait_but_not_for_ever<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let mut attempts = 0;
    let throttled = loop {
        attempts += 1;
        assert!(attempts < 20, "never throttled");
        let response = log_in(&service, &login, "not the password").await;
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
    set(&service, "login_failures SET failures = 20, failed_at = now()").await;
    let response = log_in(&service, &login, PASSWORD).await;
    let wait: u64 = response.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((25..=30).contains(&wait), "{wait} s");
    response.expect_problem(429, "too_many_attempts");

    set(&service, "login_failures SET failed_at = now() - interval '31 seconds'").await;
    log_in(&service, &login, PASSWORD).await.expect(201);
}

/// Guesses that come at once wait like those that come one by one.
pub async fn guesses_at_once_wait_like_guesses_one_by_one<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let guesses = (0..60).map(|_| log_in(&service, &login, "not the password"));
    let responses = futures::future::join_all(guesses).await;
    let checked = responses.iter().filter(|response| response.status == 401).count();
    // As many as it takes to have to wait, and those that are hashed at the same time.
    assert!((5..20).contains(&checked), "{checked} guesses were checked");
}

/// Another account does not have to wait.
pub async fn another_account_does_not_have_to_wait<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    log_in(&service, &login, "not the password").await.expect_problem(401, "wrong_credentials");
    set(&service, "login_failures SET failures = 20, failed_at = now()").await;
    let (_, other) = service.account(role).await;
    log_in(&service, &login, PASSWORD).await.expect_problem(429, "too_many_attempts");
    log_in(&service, &other, PASSWORD).await.expect(201);
}

/// A success makes the count start anew.
pub async fn a_success_makes_the_count_start_anew<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    for _ in 0..3 {
        for _ in 0..4 {
            log_in(&service, &login, "not the password").await.expect_problem(401, "wrong_credentials");
        }
        log_in(&service, &login, PASSWORD).await.expect(201);
    }
}

/// Logging out ends this session at once and no other.
pub async fn logging_out_ends_this_session_at_once_and_no_other<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let (phone, laptop) =
        (service.anonymous().log_in(&login, PASSWORD).await, service.anonymous().log_in(&login, PASSWORD).await);
    let response = phone.delete("/sessions/current").await;
    assert_eq!((response.status, response.bytes.len()), (204, 0));
    phone.get("/orders").await.expect_problem(401, "unauthenticated");
    phone.delete("/sessions/current").await.expect_problem(401, "unauthenticated");
    laptop.get("/orders").await.expect(200);
}

/// Logging out without a session is refused.
pub async fn logging_out_without_a_session_is_refused<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let (carrier, stranger) = (service.carrier().await, service.anonymous().holding("guessed", None));
    for client in [service.anonymous(), &carrier, &stranger] {
        client.delete("/sessions/current").await.expect_problem(401, "unauthenticated");
    }
}

/// A session that is not used ends.
pub async fn a_session_that_is_not_used_ends<S: Definition>(role: Role) {
    let service = start::<S>(&["--session-idle-minutes", "10"]).await;
    let ada = service.logged_in(role).await;
    for _ in 0..3 {
        set(&service, "sessions SET used_at = now() - interval '9 minutes'").await;
        ada.get("/orders").await.expect(200);
    }
    let idle: bool = sqlx::query_scalar("SELECT bool_or(used_at < now() - interval '1 minute') FROM sessions")
        .fetch_one(service.tables())
        .await
        .expect("a session");
    assert!(!idle, "the session's use is not noted");
    set(&service, "sessions SET used_at = now() - interval '11 minutes'").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

/// A session in use ends at its time as well.
pub async fn a_session_in_use_ends_at_its_time_as_well<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let ada = service.logged_in(role).await;
    ada.get("/orders").await.expect(200);
    set(&service, "sessions SET expires_at = now()").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

/// Disabling an account ends its sessions at once and for good.
pub async fn disabling_an_account_ends_its_sessions_at_once_and_for_good<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let (ada, other) = (service.anonymous().log_in(&login, PASSWORD).await, service.logged_in(role).await);
    accounts::disable(&service.units(), &login).await.expect("it is disabled");
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
    other.get("/orders").await.expect(200);
    set(&service, "accounts SET disabled_at = NULL").await;
    ada.get("/orders").await.expect_problem(401, "unauthenticated");
}

/// The database keeps neither passwords nor tokens.
pub async fn the_database_keeps_neither_passwords_nor_tokens<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (ada, partner) = (service.logged_in(role).await, service.partner().await);
    let rows = "SELECT string_agg(text, ' ') FROM (SELECT accounts::text FROM accounts UNION ALL
                SELECT sessions::text FROM sessions UNION ALL SELECT api_keys::text FROM api_keys) AS rows (text)";
    let text: String = sqlx::query_scalar(rows).fetch_one(service.tables()).await.expect("rows");
    for secret in [PASSWORD, ada.token(), partner.token()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("$argon2id$"), "{text}");
}
