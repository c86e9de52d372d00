//! `/openapi.json` for programs, `/docs` for people.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::crm;

/// Every operation with the statuses that it documents at least.
const OPERATIONS: [(&str, &str, &[&str]); 11] = [
    ("post", "/sessions", &["201", "401", "429", "default"]),
    ("delete", "/sessions/current", &["204", "401", "default"]),
    ("post", "/orders", &["201", "401", "403", "409", "422", "default"]),
    ("get", "/orders", &["200", "400", "401", "403", "422", "default"]),
    ("get", "/orders/{id}", &["200", "401", "403", "404", "default"]),
    ("get", "/orders/{id}/model", &["200", "401", "403", "404", "default"]),
    ("put", "/orders/{id}/model", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "default"]),
    ("post", "/orders/{id}/status", &["200", "401", "403", "404", "409", "422", "default"]),
    ("post", "/deliveries", &["200", "401", "403", "404", "409", "422", "default"]),
    ("get", "/health/live", &["200"]),
    ("get", "/health/ready", &["200", "503"]),
];

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str))
}

#[tokio::test]
async fn the_document_lists_every_operation_with_its_statuses() {
    let crm = crm().await;
    let document = crm.anonymous().get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    assert_eq!(document["info"]["title"], "crm-api");
    let paths = &document["paths"];
    let listed: BTreeSet<_> =
        keys(paths).flat_map(|path| keys(&paths[path]).map(move |method| (method, path))).collect();
    assert_eq!(listed, OPERATIONS.iter().map(|(method, path, _)| (*method, *path)).collect());
    for (method, path, statuses) in OPERATIONS {
        let responses = &paths[path][method]["responses"];
        let missing: Vec<_> = statuses.iter().filter(|status| responses.get(status).is_none()).collect();
        assert!(missing.is_empty(), "{method} {path} doesn't document {missing:?}");
    }
}

#[tokio::test]
async fn the_page_for_people_is_there() {
    let crm = crm().await;
    let response = crm.anonymous().get("/docs").await;
    assert!(response.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html")));
    response.expect(200);
}
