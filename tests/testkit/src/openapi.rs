//! A service's operations as its OpenAPI document lists them, for tests that walk all of them.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::Client;

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its method, in lower case.
    pub method: String,
    /// Its path, with `{id}` where the order's number stands.
    pub path: String,
    /// Whether the document names a way to authenticate.
    pub protected: bool,
}

impl Operation {
    /// A request for it, with no body and for the order with this number.
    ///
    /// # Panics
    ///
    /// If the document's method is none.
    pub fn request(&self, client: &Client, order: &str) -> RequestBuilder {
        let method = self.method.to_uppercase().parse::<Method>().expect("a method");
        client.request(method, &self.path.replace("{id}", order))
    }
}

/// Every operation that the document lists.
///
/// # Panics
///
/// If there is no document, or it isn't one.
pub async fn operations(anonymous: &Client) -> Vec<Operation> {
    let document = anonymous.get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| Operation {
            method: method.clone(),
            path: path.clone(),
            protected: is_protected(operation),
        })
    });
    operations.collect()
}

fn is_protected(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|ways| !ways.is_empty())
}
