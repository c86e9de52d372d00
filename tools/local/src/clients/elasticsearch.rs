//! Elasticsearch over REST, as one account.

use anyhow::{Context as _, Result, anyhow};
use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::log_flags::Since;
use crate::system::accounts::Login;

/// One account at one Elasticsearch.
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

    /// Sends a request and returns the answer's body; an error names the status and the reason.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let what = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}/{path}", self.address));
        request = request.basic_auth(&self.account.login, Some(&self.account.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| what.clone())?;
        let status = answer.status();
        let body: Value = answer.json().await.with_context(|| format!("{what}: {status}"))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(anyhow!("{what}: {status}: {}", body["error"]["reason"].as_str().unwrap_or("no reason given")))
    }

    /// All records of one order in the order of their time.
    pub(crate) async fn records_of(&self, order: &str, since: Option<&Since>) -> Result<Vec<Value>> {
        let mut filters = vec![json!({ "term": { catalogue::field::ORDER_ID: order } })];
        filters.extend(since.map(Since::filter));
        self.records(&filters).await
    }

    /// All records that every one of these filters lets through, in the order of their time.
    pub(crate) async fn records(&self, filters: &[Value]) -> Result<Vec<Value>> {
        /// Elasticsearch's own limit of one page.
        const PAGE: usize = 10_000;
        let mut records: Vec<Value> = Vec::new();
        let mut after: Option<Value> = None;
        loop {
            let mut query = json!({
                "size": PAGE,
                "query": { "bool": { "filter": filters } },
                "sort": [{ "time": { "order": "asc", "unmapped_type": "date_nanos" } }],
            });
            if let Some(after) = after {
                query["search_after"] = after;
            }
            let mut answer = self.search(&query).await?;
            let hits = answer["hits"]["hits"].take();
            let hits = hits.as_array().context("an answer without hits")?;
            records.extend(hits.iter().map(|hit| hit["_source"].clone()));
            match hits.last() {
                Some(last) if hits.len() == PAGE => after = Some(last["sort"].clone()),
                _ => return Ok(records),
            }
        }
    }

    /// One search over all records.
    pub(crate) async fn search(&self, query: &Value) -> Result<Value> {
        self.call(Method::POST, &format!("{}/_search", elk::INDEX_PATTERN), Some(query)).await
    }
}
