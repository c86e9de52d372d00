//! Elasticsearch as one of its accounts sees it.

use local::{Login, SystemFile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{eventually, log::Record, plain_http};

/// One account at Elasticsearch.
#[derive(Clone)]
pub struct Search {
    http: reqwest::Client,
    address: String,
    login: Login,
}

/// A record as Elasticsearch keeps it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The index that it is in.
    pub index: String,
    /// The document.
    pub record: Record,
}

/// Filters for records with these values in these fields.
pub fn matching(fields: &[(&str, &str)]) -> Vec<Value> {
    fields.iter().map(|(name, value)| json!({"term": {*name: value}})).collect()
}

impl Search {
    /// This account at this address, such as `http://127.0.0.1:9200`.
    #[must_use]
    pub fn new(address: &str, login: &Login) -> Self {
        let http = plain_http().build().expect("a client");
        Self { http, address: address.to_owned(), login: login.clone() }
    }

    /// Support's account at the Elasticsearch of a system that has both.
    #[must_use]
    pub fn as_support(file: &SystemFile) -> Self {
        let address = file.elasticsearch.as_deref().expect("Elasticsearch runs");
        Self::new(address, file.accounts.support.as_ref().expect("there is a support account"))
    }

    /// Sends a request; returns the status and the response.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        eventually("Elasticsearch to respond", async || {
            let request = self.http.request(method.clone(), format!("{}/{path}", self.address));
            let mut request = request.basic_auth(&self.login.login, Some(&self.login.password));
            if let Some(body) = body {
                request = request.json(body);
            }
            // It may have been killed by a test just now, and a new index takes a moment to be opened.
            let response = request.send().await.map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let body = response.text().await.map_err(|error| error.to_string())?;
            if status == 503 { Err(body) } else { Ok((status, serde_json::from_str(&body).unwrap_or_default())) }
        })
        .await
    }

    /// Every record that all of these filters let through, the oldest first.
    pub async fn documents(&self, filters: &[Value]) -> Vec<Document> {
        const PAGE: usize = 10_000;
        let (mut documents, mut after) = (Vec::new(), None::<Value>);
        loop {
            let mut query = json!({
                "size": PAGE,
                "query": {"bool": {"filter": filters}},
                "sort": [{"time": {"order": "asc", "unmapped_type": "date_nanos"}}],
            });
            if let Some(after) = after {
                query["search_after"] = after;
            }
            let (status, mut response) = self.call(Method::POST, "alexandrite-*/_search", Some(&query)).await;
            assert_eq!(status, 200, "{response}");
            let Value::Array(hits) = response["hits"]["hits"].take() else {
                panic!("a response without hits: {response}")
            };
            after = hits.last().map(|last| last["sort"].clone());
            let is_last = hits.len() < PAGE;
            documents.extend(hits.into_iter().map(|mut hit| Document {
                index: hit["_index"].as_str().unwrap_or_default().to_owned(),
                record: match hit["_source"].take() {
                    Value::Object(record) => record,
                    other => panic!("a document that is no object: {other}"),
                },
            }));
            if is_last {
                return documents;
            }
        }
    }

    /// The same, once there are so many.
    pub async fn at_least(&self, count: usize, filters: &[Value]) -> Vec<Record> {
        eventually(&format!("{count} records with {filters:?}"), async || {
            let found: Vec<Record> = self.documents(filters).await.into_iter().map(|found| found.record).collect();
            if found.len() < count { Err(format!("{} are there: {found:?}", found.len())) } else { Ok(found) }
        })
        .await
    }
}
