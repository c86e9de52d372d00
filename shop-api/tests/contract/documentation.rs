//! `/openapi.json` for programs, `/docs` for people.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Url;
use testkit::{Response, contract::documentation::expect_operations};

use crate::shop;

#[tokio::test]
async fn the_document_lists_every_operation_with_its_statuses() {
    expect_operations(
        shop().await.anonymous(),
        &[
            ("post", "/customers", &["201", "409", "422", "429", "default"]),
            ("post", "/orders", &["201", "401", "403", "409", "422", "default"]),
            ("get", "/orders", &["200", "400", "401", "403", "422", "default"]),
            ("get", "/orders/{id}", &["200", "401", "403", "404", "default"]),
            ("put", "/orders/{id}/model", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "default"]),
            ("post", "/orders/{id}/status", &["200", "401", "403", "404", "409", "422", "default"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_page_for_people_loads_nothing_from_elsewhere() {
    let shop = shop().await;
    let response = shop.anonymous().get("/docs/").await;
    assert!(response.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html")));
    let html = text(&response);
    response.expect(200);
    shop.anonymous().get("/docs").await.expect(200);

    let page = Url::parse("http://shop/docs/").expect("a URL");
    let mut loaded = String::new();
    let references: Vec<_> = ["src=\"", "href=\""].into_iter().flat_map(|attribute| values(&html, attribute)).collect();
    assert!(references.iter().any(|reference| reference.ends_with(".js")), "{references:?}");
    for reference in references {
        let url = page.join(&reference).expect("a URL");
        assert_eq!(url.host_str(), Some("shop"), "{reference} is elsewhere");
        let response = shop.anonymous().get(url.path()).await;
        assert_eq!(response.status, 200, "{reference}");
        if reference.ends_with(".css") || reference.contains("initializer") || reference.contains("index") {
            loaded.push_str(&text(&response));
        }
    }
    assert!(loaded.contains("/openapi.json"), "the page doesn't know the document");
    for elsewhere in ["url(http", "url(\"http", "url(//", "@import"] {
        assert!(!loaded.contains(elsewhere), "{elsewhere}");
    }
}

/// The page's files are stored compressed, and sent as they are; what is made for the service isn't.
fn text(response: &Response) -> String {
    if response.header("content-encoding") != Some("gzip") {
        return String::from_utf8(response.bytes.clone()).expect("text");
    }
    let mut text = String::new();
    GzDecoder::new(&response.bytes[..]).read_to_string(&mut text).expect("compressed text");
    text
}

/// What stands between each `start` and the next quote.
fn values(html: &str, start: &str) -> Vec<String> {
    html.split(start).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}
