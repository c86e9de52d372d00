//! A client of Elasticsearch's REST interface, and the fields of records.

use anyhow::{Context as _, Result, anyhow};
use catalogue::field;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::accounts::Login;

/// An account at an Elasticsearch.
#[derive(Clone, Debug)]
pub(crate) struct Elasticsearch {
    client: reqwest::Client,
    address: String,
    account: Login,
}

impl Elasticsearch {
    pub(crate) fn new(address: &str, account: &Login) -> Self {
        Self { client: reqwest::Client::new(), address: address.to_owned(), account: account.clone() }
    }

    /// Sends a request and returns the response's body; an error contains the status and the reason.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let what = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}/{path}", self.address));
        request = request.basic_auth(&self.account.login, Some(&self.account.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status();
        let body: Value = response.json().await.with_context(|| format!("{what}: {status}"))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(anyhow!("{what}: {status}: {}", body["error"]["reason"].as_str().unwrap_or("no reason given")))
    }

    /// One search over all records.
    pub(crate) async fn search(&self, query: &Value) -> Result<Value> {
        self.call(Method::POST, &format!("{}/_search", elk::INDEX_PATTERN), Some(query)).await
    }

    /// All records that match every filter, by time.
    pub(crate) async fn records(&self, filters: &[Value]) -> Result<Vec<Value>> {
        /// Elasticsearch's own limit of one page.
        const PAGE: usize = 10_000;
        let mut records: Vec<Value> = Vec::new();
        let mut query = json!({
            "size": PAGE,
            "query": { "bool": { "filter": filters } },
            "sort": [{ "time": { "order": "asc", "unmapped_type": "date_nanos" } }],
        });
        loop {
            let mut response = self.search(&query).await?;
            let hits = response["hits"]["hits"].take();
            let hits = hits.as_array().context("a response without hits")?;
            records.extend(hits.iter().map(|hit| hit["_source"].clone()));
            match hits.last() {
                Some(last) if hits.len() == PAGE => query["search_after"] = last["sort"].clone(),
                _ => return Ok(records),
            }
        }
    }
}

/// The filter for one order's records.
pub(crate) fn of_order(order: &str) -> Value {
    json!({ "term": { field::ORDER_ID: order } })
}

/// A text field of a record; empty if it is missing.
pub(crate) fn text<'record>(record: &'record Value, field: &str) -> &'record str {
    record[field].as_str().unwrap_or_default()
}

/// The first `length` characters of an RFC 3339 time, with a blank between date and time of day.
pub(crate) fn short_time(time: &str, length: usize) -> String {
    time.chars().take(length).collect::<String>().replace('T', " ")
}
