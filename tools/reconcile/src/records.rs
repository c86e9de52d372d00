//! The records of changes as Elasticsearch has them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use catalogue::{Action, field};
use futures::{Stream, TryStreamExt as _, stream};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::scope::Scope;

/// Records in one page; Elasticsearch gives no more at once.
const PAGE: usize = 5_000;
/// How long Elasticsearch keeps the view on its documents between two pages.
const KEPT: &str = "2m";
/// How long an Elasticsearch that isn't ready is asked again, and how often.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);

/// Elasticsearch, as an account that may read the records.
#[derive(Clone, Debug)]
pub struct Log {
    http: reqwest::Client,
    address: String,
    login: String,
    password: String,
}

/// One record of a change.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) order: String,
    pub(crate) service: String,
    pub(crate) status: String,
    pub(crate) event_id: Option<String>,
    pub(crate) index: String,
}

/// One view on the documents, which later ones don't change.
pub(crate) struct Search<'a> {
    log: &'a Log,
    view: String,
}

impl Log {
    /// Elasticsearch at this address.
    #[must_use]
    pub fn new(address: &str, login: &str, password: &str) -> Self {
        let (address, login, password) = (address.to_owned(), login.to_owned(), password.to_owned());
        Self { http: reqwest::Client::new(), address, login, password }
    }

    pub(crate) async fn open(&self) -> Result<Search<'_>> {
        let path = format!("{}/_pit?keep_alive={KEPT}", elk::INDEX_PATTERN);
        let opened = self.call(Method::POST, &path, None).await?;
        let view = opened["id"].as_str().context("a view without an id")?.to_owned();
        Ok(Search { log: self, view })
    }

    /// Asks again for some seconds while an index is new, or its server: then it can't be read yet.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(method.clone(), path, body).await?;
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE || Instant::now() > give_up {
                return read_answer(answer).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let mut request = self.http.request(method, format!("{}/{path}", self.address));
        request = request.basic_auth(&self.login, Some(&self.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.context("Elasticsearch")
    }
}

async fn read_answer(answer: Response) -> Result<Value> {
    let status = answer.status();
    let body: Value = answer.json().await.with_context(|| format!("Elasticsearch: {status}"))?;
    if status.is_success() {
        return Ok(body);
    }
    Err(anyhow!("Elasticsearch: {status}: {}", body["error"]["reason"].as_str().unwrap_or("no reason given")))
}

impl Search<'_> {
    /// Every record that reports a change of a status, sorted by order.
    pub(crate) fn stream(&self, scope: &Scope) -> impl Stream<Item = Result<Record>> {
        let mut filters = vec![
            json!({"terms": {field::EVENT_ACTION: [Action::OrderCreated.name(), Action::OrderStatusChanged.name()]}}),
            json!({"term": {field::EVENT_OUTCOME: "success"}}),
        ];
        if let Some(orders) = &scope.orders {
            filters.push(json!({"terms": {field::ORDER_ID: orders}}));
        }
        if let Some(first) = scope.first_event() {
            // They are numbered by time, and sorted as text.
            filters.push(json!({"range": {field::EVENT_ID: {"gte": first.to_string()}}}));
        }
        let pages = stream::try_unfold(Some(Value::Null), move |after| {
            let filters = filters.clone();
            async move {
                let Some(after) = after else { return anyhow::Ok(None) };
                let hits = self.page(filters, &after).await?;
                let after = hits.last().filter(|_| hits.len() == PAGE).map(|last| last["sort"].clone());
                Ok(Some((hits, after)))
            }
        });
        pages.map_ok(|hits| stream::iter(hits.into_iter().map(|hit| read(&hit)))).try_flatten()
    }

    async fn page(&self, filters: Vec<Value>, after: &Value) -> Result<Vec<Value>> {
        let mut query = json!({
            "size": PAGE,
            "pit": {"id": self.view, "keep_alive": KEPT},
            "query": {"bool": {"filter": filters}},
            "sort": [{field::ORDER_ID: "asc"}, {"_shard_doc": "asc"}],
            "_source": [field::ORDER_ID, field::NAME, field::ORDER_STATUS, field::EVENT_ID],
            "track_total_hits": false,
        });
        if !after.is_null() {
            query["search_after"] = after.clone();
        }
        match self.log.call(Method::POST, "_search", Some(&query)).await?["hits"]["hits"].take() {
            Value::Array(hits) => Ok(hits),
            other => Err(anyhow!("an answer without hits: {other}")),
        }
    }

    /// Elasticsearch would forget the view by itself, a little later.
    pub(crate) async fn close(self) {
        let _ = self.log.call(Method::DELETE, "_pit", Some(&json!({"id": self.view}))).await;
    }
}

fn read(hit: &Value) -> Result<Record> {
    let source = &hit["_source"];
    let text = |name: &str| source[name].as_str().map(str::to_owned);
    Ok(Record {
        order: text(field::ORDER_ID).context("a record of a change without an order")?,
        service: text(field::NAME).unwrap_or_default(),
        status: text(field::ORDER_STATUS).unwrap_or_default(),
        event_id: text(field::EVENT_ID),
        index: hit["_index"].as_str().unwrap_or_default().to_owned(),
    })
}
