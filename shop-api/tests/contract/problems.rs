//! The form of every refusal, and the numbers that go with every request.

use reqwest::{Method, RequestBuilder};
use testkit::Response;

use crate::{create_order, ring, shop};

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
