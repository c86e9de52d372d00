//! `/openapi.json` for programs, `/docs` for people.

use std::{collections::BTreeSet, io::Read as _};

use flate2::read::GzDecoder;
use reqwest::Url;
use serde_json::Value;
use testkit::Response;

use crate::shop;

/// Every operation with the statuses that it documents at least.
const OPERATIONS: [(&str, &str, &[&str]); 10] = [
    ("post", "/customers", &["201", "409", "422", "429", "default"]),
    ("post", "/sessions", &["201", "401", "429", "default"]),
    ("delete", "/sessions/current", &["204", "401", "default"]),
    ("post", "/orders", &["201", "401", "403", "409", "422", "default"]),
    ("get", "/orders", &["200", "400", "401", "403", "422", "default"]),
    ("get", "/orders/{id}", &["200", "401", "403", "404", "default"]),
    ("put", "/orders/{id}/model", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "default"]),
    ("post", "/orders/{id}/status", &["200", "401", "403", "404", "409", "422", "default"]),
    ("get", "/health/live", &["200"]),
    ("get", "/health/ready", &["200", "503"]),
];

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str))
}

/// What stands at a place in the document, or where that place refers to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(value, |pointer| document.pointer(pointer).expect("it is in the document"))
}

#[tokio::test]
async fn the_document_lists_every_operation_with_its_statuses() {
    let shop = shop().await;
    let document = shop.anonymous().get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    assert_eq!(document["info"]["title"], "shop-api");
    let paths = &document["paths"];
    let listed: BTreeSet<_> =
        keys(paths).flat_map(|path| keys(&paths[path]).map(move |method| (method, path))).collect();
    assert_eq!(listed, OPERATIONS.iter().map(|(method, path, _)| (*method, *path)).collect());
    for (method, path, statuses) in OPERATIONS {
        let responses = &paths[path][method]["responses"];
        let missing: Vec<_> = statuses.iter().filter(|status| responses.get(status).is_none()).collect();
        assert!(missing.is_empty(), "{method} {path} doesn't document {missing:?}");
        for status in keys(responses).filter(|status| status.starts_with('4')) {
            let content = resolved(&document, &responses[status])["content"].clone();
            assert_eq!(keys(&content).collect::<Vec<_>>(), ["application/problem+json"], "{method} {path} {status}");
        }
    }
}

#[tokio::test]
async fn everything_that_the_document_refers_to_is_in_it() {
    let shop = shop().await;
    let document = shop.anonymous().get("/openapi.json").await.expect(200);
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference into the document itself");
        assert!(document.pointer(pointer).is_some(), "{reference} is missing");
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, references));
        }
        _ => {}
    }
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
