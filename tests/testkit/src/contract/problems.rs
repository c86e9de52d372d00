//! The form of every refusal, and the ids that go with every request.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::Service;
use common::{
    auth::access::{self, Access},
    domain::Role,
    service::Definition,
};
use reqwest::{Method, RequestBuilder};

use crate::{
    Client, Response,
    service::{RunningService, start},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// An operation of every service that takes JSON.
const STATUS: &str = "/orders/A-100000/status";

fn json_body(request: RequestBuilder, body: impl Into<reqwest::Body>) -> RequestBuilder {
    request.header("Content-Type", "application/json").body(body)
}

/// Every operation that takes JSON, with a client that may call it.
async fn operations_with_json<S: Definition>(service: &RunningService) -> Vec<(Client, Method, String)> {
    let document = service.anonymous().get("/openapi.json").await.expect(200);
    let mut operations = Vec::new();
    for (method, path, access) in access::of(S::SERVICE) {
        if document["paths"][path][method]["requestBody"]["content"]["application/json"].is_object() {
            let client = match access {
                Access::Only(role) => service.client(role).await,
                Access::AnySession => service.logged_in(Role::Customer).await,
                Access::Anybody => service.anonymous().clone(),
            };
            let method = method.to_uppercase().parse().expect("a method");
            operations.push((client, method, path.replace("{id}", "A-100000")));
        }
    }
    assert!(operations.len() >= 2, "{operations:?}");
    operations
}

/// The paths of a service, each with the methods that it knows.
fn methods_by_path(service: Service) -> BTreeMap<String, BTreeSet<String>> {
    let mut paths = BTreeMap::<_, BTreeSet<_>>::new();
    for (method, path, _) in access::of(service) {
        let methods = paths.entry(path.replace("{id}", "A-100000")).or_default();
        methods.insert(method.to_uppercase());
        if method == "get" {
            methods.insert("HEAD".to_owned());
        }
    }
    paths
}

/// A body that is no json is a bad request.
pub async fn a_body_that_is_no_json_is_a_bad_request<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    for (client, method, path) in operations_with_json::<S>(&service).await {
        for body in [&b""[..], b"{", b"not json", b"\xff\xfe", b"{'a': 1}"] {
            let request = json_body(client.request(method.clone(), &path), body.to_vec());
            Response::to(request).await.expect_problem(400, "malformed_request");
        }
    }
}

/// Another media type than json is not supported.
pub async fn another_media_type_than_json_is_not_supported<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    for (client, method, path) in operations_with_json::<S>(&service).await {
        let request = || client.request(method.clone(), &path);
        for media_type in
            ["text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json", "nonsense"]
        {
            let request = request().header("Content-Type", media_type).body("{}");
            Response::to(request).await.expect_problem(415, "unsupported_media_type");
        }
        Response::to(request().body("{}")).await.expect_problem(415, "unsupported_media_type");
    }
    let request = service
        .anonymous()
        .request(Method::POST, "/sessions")
        .header("Content-Type", "application/json; charset=utf-8");
    Response::to(request.body(r#"{"login": "ada", "password": "wrong"}"#))
        .await
        .expect_problem(401, "wrong_credentials");
}

/// A path that does not exist is not found, be it another service's.
pub async fn a_path_that_does_not_exist_is_not_found<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let known = methods_by_path(S::SERVICE);
    let others = Service::APIS.into_iter().flat_map(|other| methods_by_path(other).into_keys());
    let unknown = others.filter(|path| !known.contains_key(path));
    let unknown =
        unknown.chain(["/", "/nowhere", "/orders/", "/orders/A-100000/nothing", "/Orders"].map(str::to_owned));
    for path in unknown {
        client.get(&path).await.expect_problem(404, "unknown_path");
        service.anonymous().delete(&path).await.expect_problem(404, "unknown_path");
    }
    client.get("/docs/nothing.js").await.expect_problem(404, "unknown_path");
}

/// A method that a path does not know is refused with those it does.
pub async fn a_method_that_a_path_does_not_know_is_refused_with_those_it_does<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    for (path, allowed) in methods_by_path(S::SERVICE) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            if allowed.contains(method.as_str()) {
                continue;
            }
            let response = Response::to(client.request(method.clone(), &path)).await;
            let named = response.header("allow").unwrap_or_default().split(',');
            assert_eq!(
                named.map(|method| method.trim().to_owned()).collect::<BTreeSet<_>>(),
                allowed,
                "{method} {path}"
            );
            response.expect_problem(405, "method_not_allowed");
        }
    }
}

/// A body that is too large is refused.
pub async fn a_body_that_is_too_large_is_refused<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let huge = format!(r#"{{"status": "SUBMITTED", "comment": "{}"}}"#, "x".repeat(100_000));
    let declared = json_body(client.request(Method::POST, STATUS), huge.clone());
    Response::to(declared).await.expect_problem(413, "body_too_large");
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>(huge)]);
    let undeclared = json_body(client.request(Method::POST, STATUS), reqwest::Body::wrap_stream(chunks));
    Response::to(undeclared).await.expect_problem(413, "body_too_large");
}

/// A well formed request id is used and another one replaced.
pub async fn a_well_formed_request_id_is_used_and_another_one_replaced<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let with = |id: &str| client.request(Method::GET, "/orders").header("X-Request-Id", id);
    for id in ["caller-0001", "8f14e45f-ceea-467f-a9ae-9f1b3b0a6b1c", "a_b.c-d123", &"x".repeat(64)] {
        assert_eq!(Response::to(with(id)).await.header("x-request-id"), Some(id));
    }
    for id in ["", "short", "with blank in it", "quote\"in-it", "{\"level\":50}", &"x".repeat(65)] {
        let response = Response::to(with(id)).await;
        let made = response.header("x-request-id").expect("an id");
        assert!(made != id && made.len() >= 8, "{made}");
    }
    let lost = client.request(Method::GET, "/orders/A-999999").header("X-Request-Id", "caller-0002");
    assert_eq!(Response::to(lost).await.expect_problem(404, "order_not_found")["request_id"], "caller-0002");
}

/// A clients trace is continued.
pub async fn a_clients_trace_is_continued<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let request = |traceparent: String| {
        Response::to(service.anonymous().request(Method::GET, "/nowhere").header("traceparent", traceparent))
    };
    let problem = request(format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expect_problem(404, "unknown_path");
    assert_eq!(problem["trace_id"], TRACE);
    let problem = request(format!("00-{TRACE}-00f067aa0ba902b7-00")).await.expect_problem(404, "unknown_path");
    assert_eq!(problem["trace_id"], TRACE, "a trace that isn't sampled is a trace as well");

    let mut new = Vec::new();
    for broken in ["", "nonsense", &format!("00-{TRACE}-01"), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
    {
        let problem = request(broken.to_owned()).await.expect_problem(404, "unknown_path");
        new.push(problem["trace_id"].as_str().expect("a trace").to_owned());
    }
    assert!(!new.contains(&TRACE.to_owned()));
    new.sort();
    new.dedup();
    assert_eq!(new.len(), 4, "each request without a trace begins one");
}

/// No response is cached or sniffed.
pub async fn no_response_is_cached_or_sniffed<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    for response in
        [client.get("/orders").await, client.get("/nowhere").await, service.anonymous().get("/orders").await]
    {
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
}

/// A request without a token, and one with a role that may not do it, are refused.
pub async fn a_request_without_a_token_or_of_another_role_is_refused<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let missing = service.anonymous().get("/orders").await;
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    missing.expect_problem(401, "unauthenticated");
    let other = if role == Role::Seller { Role::Customer } else { Role::Seller };
    service.logged_in(other).await.get("/orders").await.expect_problem(403, "forbidden");
    service.logged_in(role).await.get("/orders/A-999999").await.expect_problem(404, "order_not_found");
}

/// A problem's type leads to its entry on the page about problems.
pub async fn a_problems_type_leads_to_its_entry<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let problem = service.anonymous().get("/orders").await.expect_problem(401, "unauthenticated");
    let (page, code) = problem["type"].as_str().and_then(|kind| kind.split_once('#')).expect("a fragment");
    assert_eq!(code, problem["code"]);
    let response = service.anonymous().get(page).await;
    assert!(response.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html")));
    assert!(String::from_utf8_lossy(&response.bytes).contains(&format!("id=\"{code}\"")));
}
