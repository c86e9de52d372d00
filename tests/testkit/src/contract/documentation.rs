//! `/openapi.json` for programs, `/docs` for people.

use std::collections::BTreeSet;

use common::{domain::Role, service::Definition};
use serde_json::Value;

use crate::{Client, service::start};

/// A method in lower case, its path, and the statuses that are documented at least.
pub type Operation = (&'static str, &'static str, &'static [&'static str]);

/// Operations that every service has.
const COMMON: [Operation; 7] = [
    ("post", "/sessions", &["201", "401", "429", "default"]),
    ("delete", "/sessions/current", &["204", "401", "default"]),
    ("put", "/accounts/me/password", &["204", "401", "422", "429", "default"]),
    ("get", "/accounts/me/sessions", &["200", "401", "default"]),
    ("delete", "/accounts/me/sessions/{id}", &["204", "401", "404", "default"]),
    ("get", "/health/live", &["200"]),
    ("get", "/health/ready", &["200", "503"]),
];

/// Asserts that a service's document has these operations and the common ones, and no others, each with its statuses, and
/// those of one role with the way to authenticate.
///
/// # Panics
///
/// If it is otherwise.
pub async fn expect_operations(client: &Client, operations: &[Operation]) {
    let document = client.get("/openapi.json").await.expect(200);
    let paths = &document["paths"];
    let listed: BTreeSet<_> =
        keys(paths).flat_map(|path| keys(&paths[path]).map(move |method| (method, path))).collect();
    let operations: Vec<_> = operations.iter().chain(&COMMON).collect();
    assert_eq!(listed, operations.iter().map(|(method, path, _)| (*method, *path)).collect());
    for (method, path, statuses) in operations {
        let operation = &paths[path][method];
        let missing: Vec<_> = statuses.iter().filter(|status| operation["responses"].get(status).is_none()).collect();
        assert!(missing.is_empty(), "{method} {path} doesn't document {missing:?}");
        assert!(operation["security"].is_array() || !statuses.contains(&"403"), "{method} {path}");
    }
}

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str))
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

/// Everything that the document refers to is in it.
pub async fn everything_that_the_document_refers_to_is_in_it<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let document = service.anonymous().get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    assert_eq!(document["info"]["title"], S::SERVICE.name());
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference into the document itself");
        assert!(document.pointer(pointer).is_some(), "{reference} is missing");
    }
}

/// Every response from 400 on is documented as a problem, but for the report of a service that isn't ready.
pub async fn every_problem_is_documented_as_one<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let document = service.anonymous().get("/openapi.json").await.expect(200);
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                if path.starts_with("/health/") || (status != "default" && status.as_str() < "400") {
                    continue;
                }
                let media_types: Vec<_> = response["content"].as_object().expect("a body").keys().collect();
                assert_eq!(media_types, ["application/problem+json"], "{method} {path} {status}");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} problems");
}

/// The page for people is there.
pub async fn the_page_for_people_is_there<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let response = service.anonymous().get("/docs").await;
    assert!(response.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html")));
    response.expect(200);
}
