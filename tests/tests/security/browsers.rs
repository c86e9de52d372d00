//! What responses make browsers do: run nothing, keep nothing, and let no other site's page in.

use mes_api::MesApi;
use reqwest::Method;
use shop_api::ShopApi;
use testkit::{Client, Response, service};

const ORIGIN: &str = "https://shop.example.org";

fn preflight(client: &Client, origin: &str) -> impl Future<Output = Response> {
    let request = client.request(Method::OPTIONS, "/orders").header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", "POST");
    Response::to(request.header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key"))
}

fn from(client: &Client, origin: &str, path: &str) -> impl Future<Output = Response> {
    Response::to(client.request(Method::GET, path).header("Origin", origin))
}

#[tokio::test]
async fn every_response_tells_browsers_to_keep_and_run_nothing() {
    let shop = service::start::<ShopApi>(&[]).await;
    let ada = shop.customer().await;
    let login = serde_json::json!({"login": "nobody", "password": "a guess"});
    for response in [
        ada.get("/orders").await,
        ada.get("/nowhere").await,
        ada.delete("/orders").await,
        shop.anonymous().get("/orders").await,
        shop.anonymous().post_json("/sessions", login).await,
        shop.anonymous().get("/health/ready").await,
    ] {
        let policy = response.header("content-security-policy").expect("a policy");
        assert_eq!(policy, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("x-frame-options"), Some("DENY"));
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(response.header("server"), None);
        assert_eq!(response.header("strict-transport-security"), None, "not without TLS");
    }
}

#[tokio::test]
async fn a_browser_that_came_by_tls_is_told_to_keep_to_it() {
    let shop = service::start::<ShopApi>(&[]).await;
    for (path, status) in [("/health/live", 200), ("/orders", 401), ("/nowhere", 404), ("/docs/", 200)] {
        let request = shop.anonymous().request(Method::GET, path);
        let response = Response::to(request.header("X-Forwarded-Proto", "https")).await;
        assert_eq!(response.status, status, "{path}");
        assert_eq!(response.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"), "{path}");
    }
}

#[tokio::test]
async fn a_request_is_not_sent_back_to_who_sends_it() {
    let shop = service::start::<ShopApi>(&[]).await;
    for path in ["/orders", "/health/live"] {
        let response = Response::to(shop.customer().await.request(Method::TRACE, path)).await;
        response.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn the_page_for_people_runs_its_own_scripts_and_stands_in_no_frame() {
    let shop = service::start::<ShopApi>(&[]).await;
    for path in ["/docs/", "/docs/swagger-initializer.js", "/docs/swagger-ui.css"] {
        let page = shop.anonymous().get(path).await;
        assert!(page.header("content-type").is_some_and(|text| text.ends_with("; charset=utf-8")), "{page:?}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self'; "), "{policy}");
        for nothing in ["object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(nothing) && !policy.contains("script-src"), "{policy}");
        }
    }
}

#[tokio::test]
async fn no_other_sites_page_may_use_a_service_unless_it_is_told_so() {
    let mes = service::start::<MesApi>(&["--price-workers", "0"]).await;
    preflight(mes.anonymous(), ORIGIN).await.expect_problem(405, "method_not_allowed");
    let response = from(mes.anonymous(), ORIGIN, "/health/live").await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (200, None));
}

#[tokio::test]
async fn the_pages_of_allowed_origins_may_use_a_service_and_read_its_problems() {
    let other = "http://localhost:3000";
    let shop = service::start::<ShopApi>(&["--cors-allowed-origins", &format!("{ORIGIN},{other}")]).await;
    for origin in [ORIGIN, other] {
        let allowed = preflight(shop.anonymous(), origin).await;
        assert_eq!(allowed.header("access-control-allow-origin"), Some(origin));
        assert!(allowed.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
        let headers = allowed.header("access-control-allow-headers").expect("headers");
        assert!(headers.contains("authorization") && headers.contains("idempotency-key"), "{headers}");
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
        assert_eq!(allowed.status, 200);
    }
    let problem = from(shop.anonymous(), ORIGIN, "/orders").await;
    assert_eq!(problem.header("access-control-allow-origin"), Some(ORIGIN));
    assert!(problem.header("vary").is_some_and(|vary| vary.contains("origin")), "{:?}", problem.headers);
    problem.expect_problem(401, "unauthenticated");

    for origin in ["https://evil.example.org", "https://shop.example.org.evil.example", "null"] {
        let refused = preflight(shop.anonymous(), origin).await;
        assert_eq!(refused.header("access-control-allow-origin"), None);
        assert_eq!(from(shop.anonymous(), origin, "/orders").await.header("access-control-allow-origin"), None);
    }
}

#[test]
fn what_is_no_origin_is_named_at_the_start() {
    type Settings = common::service::Settings<ShopApi>;
    for wrong in ["*", "shop.example.org", "https://shop.example.org/", "https://a.example,b", "null"] {
        let error = Settings::from_flags(["--cors-allowed-origins", wrong]).err().expect(wrong).to_string();
        assert!(error.contains("CORS_ALLOWED_ORIGINS"), "{error}");
    }
    for wrong in ["10.0.0.0", "10.0.0.0/33", "proxy"] {
        let error = Settings::from_flags(["--trusted-proxies", wrong]).err().expect(wrong).to_string();
        assert!(error.contains("TRUSTED_PROXIES"), "{error}");
    }
}
