//! The records of requests and logins.

use common::{domain::Role, service::Definition};
use reqwest::Method;
use serde_json::json;
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

/// The third failed login in a row is a warning.
pub async fn the_third_failed_login_in_a_row_is_a_warning<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    for _ in 0..2 {
        let record = login_record(&service, &login, "not the password").await;
        assert_eq!(record["level"], 30);
        assert_fields(
            &record,
            &json!({"event.action": "auth.login_failed", "event.outcome": "failure", "user.id": account,
                    "source.ip": "127.0.0.0"}),
        );
    }
    for failures in [3, 4] {
        let record = login_record(&service, &login, "not the password").await;
        assert_eq!(record["level"], 40);
        assert_fields(
            &record,
            &json!({"event.action": "auth.login_failed_repeatedly", "event.outcome": "failure", "user.id": account,
                    "source.ip": "127.0.0.0", "auth.failures": failures}),
        );
    }
    service.anonymous().log_in(&login, PASSWORD).await;
    assert_eq!(login_record(&service, &login, "not the password").await["event.action"], "auth.login_failed");
}

/// Failures more than fifteen minutes apart are not in a row.
pub async fn failures_more_than_fifteen_minutes_apart_are_not_in_a_row<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    for _ in 0..4 {
        assert_eq!(login_record(&service, &login, "not the password").await["event.action"], "auth.login_failed");
        sqlx::query("UPDATE accounts SET failed_at = failed_at - interval '16 minutes'")
            .execute(service.tables())
            .await
            .expect("a change");
    }
}

/// A login that no account has is recorded as a hash.
pub async fn a_login_that_no_account_has_is_recorded_as_a_hash<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let first = login_record(&service, "hunter2, typed into the wrong field", PASSWORD).await;
    assert_fields(
        &first,
        &json!({"event.action": "auth.login_failed", "event.outcome": "failure", "user.hash": first["user.hash"],
                "source.ip": "127.0.0.0"}),
    );
    let again = login_record(&service, "hunter2, typed into the wrong field", PASSWORD).await;
    let other = login_record(&service, "another one", PASSWORD).await;
    assert_eq!(again["user.hash"], first["user.hash"]);
    assert_ne!(other["user.hash"], first["user.hash"]);
    assert!(
        records_with("name", S::SERVICE.name()).iter().all(|record| !json!(record).to_string().contains("hunter2"))
    );
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
