//! Guessing passwords, flooding the login, and keeping others out.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use common::{auth::accounts, domain::Role};
use crm_api::CrmApi;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use shop_api::ShopApi;
use testkit::{
    Client, Response, eventually,
    records::{Record, actions, records_of, valid_records_of},
    service::{self, PASSWORD, RunningService},
};

/// Requests come through a proxy that says where they come from.
const BEHIND_A_PROXY: [&str; 2] = ["--trusted-proxies", "127.0.0.0/8,::1/128"];

/// Tries to log in from an address.
async fn log_in(service: &Client, from: &str, login: &str, password: &str) -> Response {
    let request = service.request(Method::POST, "/sessions").header("X-Forwarded-For", from);
    Response::to(request.json(&json!({"login": login, "password": password}))).await
}

/// Fails until the account has to wait there.
async fn guess_until_refused(service: &Client, from: &str, login: &str) {
    for _ in 0..20 {
        let response = log_in(service, from, login, "a guess").await;
        if response.status == 429 {
            response.expect_problem(429, "too_many_attempts");
            return;
        }
        response.expect_problem(401, "wrong_credentials");
    }
    panic!("never refused");
}

/// Asks until it is refused: at once, but for one that is admitted for each second since it was refused last.
async fn is_held_off(since: Instant, ask: impl AsyncFn(usize) -> Response) {
    for admitted in 0.. {
        let response = ask(admitted).await;
        if response.status == 429 {
            response.expect_problem(429, "too_many_requests");
            return;
        }
        assert!(admitted as f64 <= since.elapsed().as_secs_f64(), "{admitted} are admitted at once");
    }
}

#[tokio::test]
async fn a_flood_of_logins_and_registrations_is_held_off_at_its_source_alone() {
    let limits = ["--login-burst", "5", "--logins-per-second", "1"];
    let shop = service::start::<ShopApi>(&[&limits[..], &BEHIND_A_PROXY].concat()).await;
    let (_, login) = shop.account(Role::Customer).await;
    let session = log_in(shop.anonymous(), "192.0.2.1", &login, PASSWORD).await.expect(201);
    let ada = shop.anonymous().holding(session["token"].as_str().expect("a token"), None);

    let flood = async |from: &str| {
        for attempt in 0..50 {
            let (login, asked) = (format!("nobody-{attempt}-{from}"), Instant::now());
            let response = log_in(shop.anonymous(), from, &login, "a guess").await;
            if response.status == 429 {
                return (attempt, response, asked);
            }
            response.expect_problem(401, "wrong_credentials");
        }
        panic!("never held off");
    };
    let (admitted, held_off, since) = flood("203.0.113.9").await;
    assert!(admitted >= 5, "{admitted} logins");
    let wait: u64 = held_off.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert_eq!(wait, 1);
    assert_eq!(actions(&valid_records_of(&held_off)), ["auth.throttled", "http.request"]);
    held_off.expect_problem(429, "too_many_requests");
    is_held_off(since, async |number| {
        let credentials = json!({"login": format!("one-of-many-{number}"), "password": PASSWORD});
        let register = shop.anonymous().request(Method::POST, "/customers").header("X-Forwarded-For", "203.0.113.9");
        Response::to(register.json(&credentials)).await
    })
    .await;

    // Everybody else logs in, and who is in works on, also from there.
    log_in(shop.anonymous(), "203.0.113.10", &login, PASSWORD).await.expect(201);
    let request = ada.request(Method::GET, "/orders").header("X-Forwarded-For", "203.0.113.9");
    Response::to(request).await.expect(200);

    // One household's addresses are one source.
    let (_, _, since) = flood("2001:db8:1:2::1").await;
    is_held_off(since, async |_| log_in(shop.anonymous(), "2001:db8:1:2:3:4:5:6", &login, PASSWORD).await).await;
    log_in(shop.anonymous(), "2001:db8:1:3::1", &login, PASSWORD).await.expect(201);

    // Whoever waits for as long as they were told is let in.
    let since = Instant::now();
    let let_in = eventually("the source of the flood to be let in again", async || {
        let waited = since.elapsed();
        let response = log_in(shop.anonymous(), "203.0.113.9", &login, PASSWORD).await;
        if response.status == 429 {
            assert!(waited < Duration::from_secs(wait), "it is held off longer than it was told");
            return Err("it is held off");
        }
        Ok(response)
    });
    let_in.await.expect(201);
}

#[tokio::test]
async fn nobody_gets_another_bucket_by_saying_that_they_are_somebody_else() {
    let shop = service::start::<ShopApi>(&["--login-burst", "5", "--logins-per-second", "1"]).await;
    let mut refused = 0;
    for number in 0..30 {
        let (from, login) = (format!("192.0.2.{number}"), format!("nobody-{number}"));
        refused += u32::from(log_in(shop.anonymous(), &from, &login, "a guess").await.status == 429);
    }
    assert!(refused > 0, "thirty logins at once from one address");
}

#[tokio::test]
async fn nobody_can_lock_an_owner_out_from_elsewhere() {
    let shop = service::start::<ShopApi>(&BEHIND_A_PROXY).await;
    let (_, login) = shop.account(Role::Customer).await;
    log_in(shop.anonymous(), "192.0.2.1", &login, PASSWORD).await.expect(201);
    guess_until_refused(shop.anonymous(), "203.0.113.9", &login).await;
    // As after more guesses: the first wait is a second, and may be over on a busy machine.
    sqlx::query("UPDATE login_failures SET failures = failures + 10").execute(shop.tables()).await.expect("PostgreSQL");
    // Neither where the guesses come from nor anywhere else that the owner has never been.
    for from in ["203.0.113.9", "198.51.100.1"] {
        log_in(shop.anonymous(), from, &login, PASSWORD).await.expect_problem(429, "too_many_attempts");
    }
    log_in(shop.anonymous(), "192.0.2.1", &login, PASSWORD).await.expect(201);

    // Who guesses from the owner's own address has to wait there as anywhere.
    guess_until_refused(shop.anonymous(), "192.0.2.1", &login).await;
}

#[tokio::test]
async fn failures_are_counted_over_replicas_and_restarts() {
    let crm = service::start::<CrmApi>(&[]).await;
    let (account, login) = crm.account(Role::Seller).await;
    let reported = async |service: &Client| {
        let response = log_in(service, "192.0.2.1", &login, "a guess").await;
        let record = records_of(&response).into_iter().next().expect("a record");
        assert_eq!(record["user.id"], account.to_string());
        (record["event.action"].as_str().expect("an action").to_owned(), record["level"].as_u64())
    };
    let (once, repeatedly) =
        (("auth.login_failed".to_owned(), Some(30)), ("auth.login_failed_repeatedly".to_owned(), Some(40)));
    assert_eq!(reported(crm.anonymous()).await, once);
    {
        let (_replica, replica) = crm.replica::<CrmApi>(&[]).await;
        assert_eq!(reported(&replica).await, once);
    }
    let (_restarted, restarted) = crm.replica::<CrmApi>(&[]).await;
    assert_eq!(reported(&restarted).await, repeatedly);
    assert_eq!(reported(crm.anonymous()).await, repeatedly);
}

/// Fails with a login twenty times at once at two replicas, and asserts that each failure has its number.
async fn fails_twenty_times_at_once(replicas: [&Client; 2], login: &str) {
    let tries = (0..20).map(|number| log_in(replicas[number % 2], "192.0.2.1", login, "a guess"));
    let (mut failed, mut throttled, mut failures) = (0, 0, Vec::new());
    for response in futures::future::join_all(tries).await {
        let records = valid_records_of(&response);
        // Whoever comes after the fifth failure has to wait.
        assert_eq!(response.status, if actions(&records)[0] == "auth.throttled" { 429 } else { 401 }, "{records:?}");
        match (actions(&records)[0], records[0].get("auth.failures")) {
            ("auth.throttled", None) => throttled += 1,
            ("auth.login_failed", None) => failed += 1,
            ("auth.login_failed_repeatedly", Some(count)) => failures.push(count.as_u64().expect("a number")),
            other => panic!("{other:?}"),
        }
    }
    failures.sort_unstable();
    println!("{login}: {failed} failed, {failures:?}, {throttled} throttled");
    assert_eq!(failed, 2);
    assert_eq!(failures, (3..=20 - throttled).collect::<Vec<u64>>());
    assert!(failures.len() >= 3, "the fifth failure is the first that makes anybody wait");
}

#[tokio::test]
async fn of_twenty_failures_at_once_over_two_replicas_each_has_its_number() {
    // One for each. So many at once take a busy machine long to open.
    let connections = ["--database-connections", "16", "--database-wait-seconds", "60"];
    let crm = service::start::<CrmApi>(&connections).await;
    let (_replica, replica) = crm.replica::<CrmApi>(&connections).await;
    let (_, known) = crm.account(Role::Seller).await;
    for login in [&known, "made up"] {
        fails_twenty_times_at_once([crm.anonymous(), &replica], login).await;
    }
}

/// Fails once with each of many made-up logins from an address, at two replicas in turns; returns the records of the address.
async fn stuffs(replicas: [&Client; 2], from: &str, logins: Range<usize>) -> Vec<Record> {
    let tries = logins.map(|number| {
        let login = format!("leaked {number}");
        async move { log_in(replicas[number % 2], from, &login, "a guess").await }
    });
    let mut found = Vec::new();
    // A few at once: more passwords than can be checked in time would be turned away.
    let responses: Vec<_> = futures::stream::iter(tries).buffer_unordered(4).collect().await;
    for response in responses {
        let mut records = valid_records_of(&response);
        response.expect_problem(401, "wrong_credentials");
        assert_eq!(actions(&records[..1]), ["auth.login_failed"]);
        records.retain(|record| record["event.action"] == "auth.source_failed_repeatedly");
        found.extend(records);
    }
    found
}

#[tokio::test]
async fn many_logins_that_fail_from_one_address_are_one_warning_over_all_replicas() {
    let settings = [&["--login-source-failures", "20"][..], &BEHIND_A_PROXY].concat();
    let crm = service::start::<CrmApi>(&settings).await;
    let (_replica, replica) = crm.replica::<CrmApi>(&settings).await;
    let replicas = [crm.anonymous(), &replica];
    let (attacker, other) = ("203.0.113.9", "198.51.100.1");
    let (_, known) = crm.account(Role::Seller).await;

    assert_eq!(stuffs(replicas, attacker, 0..19).await.len(), 0);
    // Neither another address nor a success counts.
    assert_eq!(stuffs(replicas, other, 0..5).await.len(), 0);
    log_in(&replica, attacker, &known, PASSWORD).await.expect(201);
    let found = stuffs(replicas, attacker, 100..120).await;
    let [record] = &found[..] else { panic!("{found:?}") };
    let expected = json!({"level": 40, "event.outcome": "failure", "event.category": "authentication",
                          "event.type": "start", "source.ip": "203.0.113.0", "auth.failures": 20});
    for (name, value) in expected.as_object().expect("fields") {
        assert_eq!(&record[name], value, "{name} in {record:?}");
    }
    assert!(!record.contains_key("user.id") && !record.contains_key("user.hash"), "{record:?}");
    log_in(crm.anonymous(), attacker, &known, PASSWORD).await.expect(201);

    // A restart keeps the count, and the address isn't kept as it is.
    let (_restarted, restarted) = crm.replica::<CrmApi>(&settings).await;
    assert_eq!(stuffs([&restarted; 2], attacker, 200..205).await.len(), 0);
    let rows = "SELECT string_agg(login_failure_sources::text, ' ') FROM login_failure_sources";
    let rows: String = sqlx::query_scalar(rows).fetch_one(crm.tables()).await.expect("rows");
    assert!(!rows.contains(attacker) && rows.contains(",44,"), "{rows}");

    // The next window begins with the next failure.
    let past = "UPDATE login_failure_sources SET since = since - interval '15 minutes'";
    sqlx::query(past).execute(crm.tables()).await.expect("a change");
    assert_eq!(stuffs(replicas, attacker, 300..319).await.len(), 0);
    assert_eq!(stuffs(replicas, attacker, 319..320).await.len(), 1);
}

#[tokio::test]
async fn a_login_with_a_nul_does_not_make_a_new_password_wait() {
    let shop = service::start::<ShopApi>(&[]).await;
    let (account, login) = shop.account(Role::Customer).await;
    let ada = shop.anonymous().log_in(&login, PASSWORD).await;
    guess_until_refused(shop.anonymous(), "", &format!("\0{account}")).await;
    let change = json!({"old_password": PASSWORD, "new_password": "another ring to find them"});
    let request = ada.request(Method::PUT, "/accounts/me/password").json(&change);
    Response::to(request).await.expect(204);
}

#[tokio::test]
async fn counts_that_no_failure_adds_to_are_forgotten() {
    let crm = service::start::<CrmApi>(&[]).await;
    for number in 0..3 {
        log_in(crm.anonymous(), "192.0.2.1", &format!("made up {number}"), "a guess").await.expect(401);
    }
    let change = "UPDATE login_failures SET failed_at = now() - interval '16 minutes'
                  WHERE ctid IN (SELECT ctid FROM login_failures LIMIT 2)";
    sqlx::query(change).execute(crm.tables()).await.expect("a change");
    let change = "UPDATE login_failure_sources SET since = now() - interval '16 minutes'";
    sqlx::query(change).execute(crm.tables()).await.expect("a change");
    // A service tidies up when it starts.
    let _replica = crm.replica::<CrmApi>(&[]).await;
    eventually("old counts to be deleted", async || {
        let count = "SELECT (SELECT count(*) FROM login_failures) + 10 * (SELECT count(*) FROM login_failure_sources)";
        let left: i64 = sqlx::query_scalar(count).fetch_one(crm.tables()).await.map_err(|error| error.to_string())?;
        if left == 1 { Ok(()) } else { Err(format!("{left} are left")) }
    })
    .await;
}

/// How long the refusal of a login takes.
async fn refusal(shop: &RunningService, login: &str, password: &str) -> Duration {
    let began = Instant::now();
    log_in(shop.anonymous(), "", login, password).await.expect_problem(401, "wrong_credentials");
    let took = began.elapsed();
    sqlx::query("DELETE FROM login_failures").execute(shop.tables()).await.expect("a change");
    took
}

#[tokio::test]
async fn a_refusal_takes_as_long_whether_the_login_is_unknown_disabled_or_wrong() {
    const TIMES: usize = 15;
    let shop = service::start::<ShopApi>(&[]).await;
    let (_, known) = shop.account(Role::Customer).await;
    let (_, disabled) = shop.account(Role::Customer).await;
    accounts::disable(&shop.units(), &disabled).await.expect("it is disabled");
    let mut took = [const { Vec::new() }; 4];
    // One after the other, so that a busy machine is as busy for all.
    for _ in 0..TIMES {
        for (times, (login, password)) in took.iter_mut().zip([
            ("nobody", PASSWORD),
            (&*known, "a guess"),
            (&*disabled, PASSWORD),
            (&*disabled, "a guess"),
        ]) {
            times.push(refusal(&shop, login, password).await);
        }
    }
    let medians = took.map(|mut times| {
        times.sort_unstable();
        times[TIMES / 2]
    });
    println!(
        "unknown {:?}, wrong {:?}, disabled {:?}, disabled and wrong {:?}",
        medians[0], medians[1], medians[2], medians[3]
    );
    // A login without the hashing would be ten times as fast.
    let (least, most) = (medians.iter().min().expect("four"), medians.iter().max().expect("four"));
    assert!(*most < 2 * *least, "{medians:?}");
}
