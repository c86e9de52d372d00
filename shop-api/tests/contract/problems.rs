//! The form of every refusal, and the numbers that go with every request.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use testkit::Response;

use crate::{create_order, ring, shop};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn json_body(request: RequestBuilder, body: impl Into<reqwest::Body>) -> RequestBuilder {
    request.header("Content-Type", "application/json").body(body)
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_bad_request() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for path in ["/customers", "/sessions", "/orders", &format!("/orders/{id}/status")] {
        for body in [&b""[..], b"{", b"not json", b"\xff\xfe", b"{'a': 1}"] {
            let request = json_body(ada.request(Method::POST, path), body.to_vec());
            Response::to(request).await.expect_problem(400, "malformed_request");
        }
    }
}

#[tokio::test]
async fn another_media_type_than_json_is_not_supported() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for path in ["/customers", "/sessions", "/orders", &format!("/orders/{id}/status")] {
        for media_type in
            ["text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json", "nonsense"]
        {
            let request = ada.request(Method::POST, path).header("Content-Type", media_type).body("{}");
            Response::to(request).await.expect_problem(415, "unsupported_media_type");
        }
        Response::to(ada.request(Method::POST, path).body("{}")).await.expect_problem(415, "unsupported_media_type");
    }
    let request = ada.request(Method::POST, "/orders").header("Content-Type", "application/json; charset=utf-8");
    Response::to(request.body(ring().to_string())).await.expect(201);
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_not_found() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for path in ["/", "/nowhere", "/orders/", "/orders/A-100000/nothing", "/Orders", "/deliveries"] {
        ada.get(path).await.expect_problem(404, "unknown_path");
        shop.anonymous().delete(path).await.expect_problem(404, "unknown_path");
    }
    ada.get("/docs/nothing.js").await.expect_problem(404, "unknown_path");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_answered_with_those_it_does() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/orders", vec!["GET", "HEAD", "POST"]),
        (Method::POST, "/orders/A-100000", vec!["GET", "HEAD"]),
        (Method::GET, "/orders/A-100000/model", vec!["PUT"]),
        (Method::PUT, "/orders/A-100000/status", vec!["POST"]),
        (Method::GET, "/customers", vec!["POST"]),
        (Method::GET, "/sessions", vec!["POST"]),
        (Method::GET, "/sessions/current", vec!["DELETE"]),
        (Method::POST, "/health/live", vec!["GET", "HEAD"]),
    ] {
        let response = Response::to(ada.request(method.clone(), path)).await;
        let mut named: Vec<_> = response.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
        named.sort_unstable();
        assert_eq!(named, allowed, "{method} {path}");
        response.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let huge = json!({"material": "gold_585", "quantity": 1, "comment": "x".repeat(100_000)}).to_string();
    let told = json_body(ada.request(Method::POST, "/orders"), huge.clone());
    Response::to(told).await.expect_problem(413, "body_too_large");
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>(huge)]);
    let untold = json_body(ada.request(Method::POST, "/orders"), reqwest::Body::wrap_stream(chunks));
    Response::to(untold).await.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn a_well_formed_request_number_is_taken_over_and_another_one_replaced() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let with = |number: &str| ada.request(Method::GET, "/orders").header("X-Request-Id", number);
    for number in ["caller-0001", "8f14e45f-ceea-467f-a9ae-9f1b3b0a6b1c", "a_b.c-d123", &"x".repeat(64)] {
        assert_eq!(Response::to(with(number)).await.header("x-request-id"), Some(number));
    }
    for number in ["", "short", "with blank in it", "quote\"in-it", "{\"level\":50}", &"x".repeat(65)] {
        let response = Response::to(with(number)).await;
        let given = response.header("x-request-id").expect("a number");
        assert!(given != number && given.len() >= 8, "{given}");
    }
    let lost = ada.request(Method::GET, "/orders/A-999999").header("X-Request-Id", "caller-0002");
    assert_eq!(Response::to(lost).await.expect_problem(404, "order_not_found")["request_id"], "caller-0002");
}

#[tokio::test]
async fn a_callers_trace_is_continued() {
    let shop = shop().await;
    let ask = |traceparent: String| {
        Response::to(shop.anonymous().request(Method::GET, "/nowhere").header("traceparent", traceparent))
    };
    let problem = ask(format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expect_problem(404, "unknown_path");
    assert_eq!(problem["trace_id"], TRACE);
    let problem = ask(format!("00-{TRACE}-00f067aa0ba902b7-00")).await.expect_problem(404, "unknown_path");
    assert_eq!(problem["trace_id"], TRACE, "a trace that isn't sampled is a trace as well");

    let mut new = Vec::new();
    for broken in ["", "nonsense", &format!("00-{TRACE}-01"), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
    {
        let problem = ask(broken.to_owned()).await.expect_problem(404, "unknown_path");
        new.push(problem["trace_id"].as_str().expect("a trace").to_owned());
    }
    assert!(!new.contains(&TRACE.to_owned()));
    new.sort();
    new.dedup();
    assert_eq!(new.len(), 4, "each request without a trace begins one");
}

#[tokio::test]
async fn no_response_is_kept_or_guessed_at_on_the_way() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for response in [ada.get("/orders").await, ada.get("/nowhere").await, shop.anonymous().get("/orders").await] {
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
}
