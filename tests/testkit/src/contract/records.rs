//! The records of requests and logins.

use common::{domain::Role, service::Definition};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{
    Response, eventually,
    records::{Record, actions, assert_fields, records_with, valid_records_of},
    service::{PASSWORD, RunningService, start},
};

/// Tries to log in and returns the record of what became of it, beside the request's own.
async fn login_record(service: &RunningService, login: &str, password: &str) -> Record {
    let response = service.anonymous().post_json("/sessions", json!({"login": login, "password": password})).await;
    let records = valid_records_of(&response);
    response.expect_problem(401, "wrong_credentials");
    let [login, request] = <[_; 2]>::try_from(records).expect("two records");
    assert_eq!(request["event.action"], "http.request");
    assert!(!request.contains_key("user.id"), "no account is proven: {request:?}");
    login
}

/// A refused login's record.
fn refused(action: &str, more: Value) -> Value {
    let mut fields = json!({"event.action": action, "event.outcome": "failure", "source.ip": "127.0.0.0",
                            "event.category": "authentication", "event.type": "start"});
    let Value::Object(more) = more else { panic!("{more} is no object") };
    fields.as_object_mut().expect("an object").extend(more);
    fields
}

/// Tries a login with a wrong password until it has failed four times, and asserts the records.
async fn fails_four_times(service: &RunningService, login: &str, who: &Value) {
    for failures in 1..=4 {
        let record = login_record(service, login, "not the password").await;
        let mut expected = refused("auth.login_failed", who.clone());
        if failures >= 3 {
            expected["event.action"] = json!("auth.login_failed_repeatedly");
            expected["auth.failures"] = json!(failures);
        }
        assert_eq!(record["level"], if failures >= 3 { 40 } else { 30 });
        assert_fields(&record, &expected);
    }
}

/// The third failed login in a row is a warning.
pub async fn the_third_failed_login_in_a_row_is_a_warning<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    fails_four_times(&service, &login, &json!({"user.id": account})).await;
    service.anonymous().log_in(&login, PASSWORD).await;
    assert_eq!(login_record(&service, &login, "not the password").await["event.action"], "auth.login_failed");
}

/// The third failed login in a row is a warning also if no account has the login; replicas hash the login alike.
pub async fn the_third_failed_login_of_no_account_is_a_warning<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let (_replica, replica) = service.replica::<S>(&[]).await;
    let first = replica.post_json("/sessions", json!({"login": "made up", "password": PASSWORD})).await;
    let hash = valid_records_of(&first)[0]["user.hash"].clone();
    sqlx::query("DELETE FROM login_failures").execute(service.tables()).await.expect("a change");
    fails_four_times(&service, "made up", &json!({"user.hash": hash})).await;
}

/// Failures more than fifteen minutes apart are not in a row.
pub async fn failures_more_than_fifteen_minutes_apart_are_not_in_a_row<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    for _ in 0..4 {
        assert_eq!(login_record(&service, &login, "not the password").await["event.action"], "auth.login_failed");
        sqlx::query("UPDATE login_failures SET failed_at = failed_at - interval '16 minutes'")
            .execute(service.tables())
            .await
            .expect("a change");
    }
}

/// A login that no account has is recorded as a hash.
pub async fn a_login_that_no_account_has_is_recorded_as_a_hash<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let first = login_record(&service, "hunter2, typed into the wrong field", PASSWORD).await;
    assert_fields(&first, &refused("auth.login_failed", json!({"user.hash": first["user.hash"]})));
    let again = login_record(&service, "hunter2, typed into the wrong field", PASSWORD).await;
    let other = login_record(&service, "another one", PASSWORD).await;
    assert_eq!(again["user.hash"], first["user.hash"]);
    assert_ne!(other["user.hash"], first["user.hash"]);
    assert!(
        records_with("name", S::SERVICE.name()).iter().all(|record| !json!(record).to_string().contains("hunter2"))
    );
    let rows = "SELECT string_agg(login_failures::text, ' ') FROM login_failures";
    let rows: String = sqlx::query_scalar(rows).fetch_one(service.tables()).await.expect("rows");
    assert!(!rows.contains("hunter2"), "{rows}");
}

/// A login and a logout are recorded, each once.
pub async fn a_login_and_a_logout_are_recorded<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    let response = service.anonymous().post_json("/sessions", json!({"login": login, "password": PASSWORD})).await;
    let records = valid_records_of(&response);
    let session = response.expect(201);
    let client = service.anonymous().holding(session["token"].as_str().expect("a token"), Some(account));
    assert_eq!(actions(&records), ["auth.login_succeeded", "http.request"]);
    let expected = |action: &str, kind: &str| {
        json!({"event.action": action, "event.outcome": "success", "event.category": "authentication",
               "event.type": kind, "user.id": account, "source.ip": "127.0.0.0"})
    };
    assert_fields(&records[0], &expected("auth.login_succeeded", "start"));
    assert_eq!((&records[0]["level"], &records[1]["user.id"]), (&json!(30), &json!(account)));

    let response = client.delete("/sessions/current").await;
    let records = valid_records_of(&response);
    assert_eq!(actions(&records), ["auth.logged_out", "http.request"]);
    assert_fields(&records[0], &expected("auth.logged_out", "end"));
    let again = client.delete("/sessions/current").await;
    assert_eq!(actions(&valid_records_of(&again)), ["http.request"]);
}

/// A login that has to wait is recorded, whether an account has it or not.
pub async fn a_login_that_has_to_wait_is_recorded<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    for (login, account) in [(&*login, Some(account)), ("made up", None)] {
        let mut who = login_record(&service, login, "not the password").await;
        sqlx::query("UPDATE login_failures SET failures = 9, failed_at = now()")
            .execute(service.tables())
            .await
            .expect("a change");
        let response = service.anonymous().post_json("/sessions", json!({"login": login, "password": PASSWORD})).await;
        let records = valid_records_of(&response);
        response.expect_problem(429, "too_many_attempts");
        assert_eq!(actions(&records), ["auth.throttled", "http.request"]);
        assert_eq!(records[0]["level"], 40);
        let name = if account.is_some() { "user.id" } else { "user.hash" };
        assert_fields(
            &records[0],
            &json!({"event.action": "auth.throttled", "event.outcome": "failure", "source.ip": "127.0.0.0",
                    "event.category": "authentication", "event.type": "info", name: who.remove(name)}),
        );
    }
}

/// An operation that is denied is a warning that names the account, the operation and the order.
pub async fn an_operation_that_is_denied_is_a_warning<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(if role == Role::Seller { Role::Customer } else { Role::Seller }).await;
    let response = client.get("/orders/A-100042").await;
    let records = valid_records_of(&response);
    response.expect_problem(403, "forbidden");
    assert_eq!(actions(&records), ["auth.access_denied", "http.request"]);
    assert_eq!(records[0]["level"], 40);
    assert_fields(
        &records[0],
        &json!({"event.action": "auth.access_denied", "event.outcome": "failure", "source.ip": "127.0.0.0",
                "event.category": "api", "event.type": "denied", "user.id": client.account(),
                "order.id": "A-100042", "http.request.method": "GET", "http.route": "/orders/{id}"}),
    );
}

/// The record of a request about an order names the order, whatever came of the request, and the network of a refused one.
pub async fn a_request_about_an_order_names_it_in_its_record<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    for (client, status) in [(&client, 404), (service.anonymous(), 401)] {
        let response = client.get("/orders/A-999999").await;
        assert_eq!(response.status, status);
        let records = valid_records_of(&response);
        assert_eq!(actions(&records), ["http.request"]);
        assert_eq!(records[0]["order.id"], "A-999999");
        // Where it came from, because it was refused.
        assert_eq!(records[0]["source.ip"], "127.0.0.0");
    }
    let list = valid_records_of(&client.get("/orders").await).remove(0);
    assert!(!list.contains_key("order.id") && !list.contains_key("source.ip"), "{list:?}");
}

/// A request whose client leaves at once is recorded as well.
pub async fn a_request_whose_client_leaves_at_once_is_recorded_as_well<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let address = service.anonymous().base().trim_start_matches("http://").to_owned();
    for attempt in 0..5 {
        let id = format!("gone-at-once-{}-{attempt}", std::process::id());
        let mut client = tokio::net::TcpStream::connect(&address).await.expect("a connection");
        let request = format!("GET /health/live HTTP/1.1\r\nHost: service\r\nX-Request-Id: {id}\r\n\r\n");
        client.write_all(request.as_bytes()).await.expect("a sent request");
        drop(client);
        let record = eventually("the request's record", async || {
            records_with("http.request.id", &id).pop().ok_or("there is none")
        })
        .await;
        assert_eq!(record["event.action"], "http.request");
    }
}

/// A request is recorded with its route, its status, its account and its client's trace.
pub async fn a_request_is_recorded_with_its_route_and_its_account_in_its_clients_trace<S: Definition>(role: Role) {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let request =
        client.request(Method::GET, "/orders").header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
    let records = valid_records_of(&Response::to(request).await);
    assert_eq!(actions(&records), ["http.request"]);
    let record = &records[0];
    assert_fields(
        record,
        &json!({"event.action": "http.request", "event.outcome": "success", "http.request.method": "GET",
                "http.route": "/orders", "http.response.status_code": 200, "user.id": client.account(),
                "event.duration": record["event.duration"]}),
    );
    assert_eq!((&record["name"], &record["level"]), (&json!(S::SERVICE.name()), &json!(30)));
    assert_eq!(record["trace.id"], TRACE);
}

/// What people type into a login, a header or a path gets into no record.
pub async fn what_people_type_gets_into_no_record<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    client.get("/for%20Byron").await.expect_problem(404, "unknown_path");
    let request =
        client.request(Method::GET, "/orders").header("User-Agent", "for Byron").header("X-Request-Id", "for Byron");
    Response::to(request).await.expect(200);
    let forged = "Byron\",\"level\":50,\"msg\":\"forged\"}\n{\"forged\":true";
    let login = json!({"login": forged, "password": "for Byron"});
    service.anonymous().post_json("/sessions", login).await.expect_problem(401, "wrong_credentials");
    client.delete("/sessions/current").await.expect(204);
    let log = json!(records_with("name", S::SERVICE.name())).to_string();
    for typed in ["Byron", "forged", PASSWORD, client.token()] {
        assert!(!log.contains(typed), "{typed} is in the log");
    }
}
