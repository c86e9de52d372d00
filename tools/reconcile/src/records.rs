//! The records of changes in Elasticsearch.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use catalogue::{Action, Service, field};
use futures::{Stream, TryStreamExt as _, stream};
use reqwest::{Certificate, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::scope::Scope;

/// The number of records in a page.
const PAGE: usize = 5_000;
/// The time between two pages for which Elasticsearch keeps the point in time.
const KEEP_ALIVE: &str = "2m";
/// The time for which a request is retried while Elasticsearch isn't ready.
const RETRY_FOR: Duration = Duration::from_secs(20);
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// The limit for a response: Elasticsearch accepts connections even when it responds to none.
const RESPONSE_LIMIT: Duration = Duration::from_secs(60);

/// A client of Elasticsearch, with an account that may read the records.
#[derive(Clone, Debug)]
pub struct Log {
    http: reqwest::Client,
    address: String,
    login: String,
    password: String,
}

/// A record of a change.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) order: String,
    pub(crate) service: String,
    pub(crate) status: String,
    pub(crate) event_id: Option<String>,
    pub(crate) index: String,
}

impl Record {
    pub(crate) fn is_from_one_of(&self, services: &[Service]) -> bool {
        services.iter().any(|service| service.name() == self.service)
    }
}

/// A search at a point in time, which later documents don't change.
pub(crate) struct Search<'a> {
    log: &'a Log,
    point_in_time: String,
}

impl Log {
    /// A client of the Elasticsearch at this address. With `https://`, its certificate is from one of these authorities (PEM,
    /// none if empty) or from one of the system's.
    ///
    /// # Errors
    ///
    /// If the authorities can't be used.
    pub fn new(address: &str, login: &str, password: &str, authorities: &str) -> Result<Self> {
        let authorities = Certificate::from_pem_bundle(authorities.as_bytes())?;
        let http = reqwest::Client::builder().tls_certs_merge(authorities).timeout(RESPONSE_LIMIT).build()?;
        let (address, login, password) = (address.to_owned(), login.to_owned(), password.to_owned());
        Ok(Self { http, address, login, password })
    }

    pub(crate) async fn open(&self) -> Result<Search<'_>> {
        let path = format!("{}/_pit?keep_alive={KEEP_ALIVE}", elk::INDEX_PATTERN);
        let opened = self.call(Method::POST, &path, None).await?;
        let point_in_time = opened["id"].as_str().context("a point in time without an id")?.to_owned();
        Ok(Search { log: self, point_in_time })
    }

    /// Sends a request, and retries it for [`RETRY_FOR`] while a new index or a starting server can't be read yet.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let give_up = Instant::now() + RETRY_FOR;
        loop {
            let response = self.send(method.clone(), path, body).await?;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE || Instant::now() > give_up {
                return read_response(response).await;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let mut request = self.http.request(method, format!("{}/{path}", self.address));
        request = request.basic_auth(&self.login, Some(&self.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.context("Elasticsearch")
    }
}

async fn read_response(response: Response) -> Result<Value> {
    let status = response.status();
    let body: Value = response.json().await.with_context(|| format!("Elasticsearch: {status}"))?;
    if status.is_success() {
        return Ok(body);
    }
    Err(anyhow!("Elasticsearch: {status}: {}", body["error"]["reason"].as_str().unwrap_or("no reason given")))
}

impl Search<'_> {
    /// The records of changes of a status, sorted by order.
    pub(crate) fn stream(&self, scope: &Scope) -> impl Stream<Item = Result<Record>> {
        let mut filters = vec![
            json!({"terms": {field::EVENT_ACTION: [Action::OrderCreated.name(), Action::OrderStatusChanged.name()]}}),
            json!({"term": {field::EVENT_OUTCOME: "success"}}),
        ];
        if let Some(orders) = &scope.orders {
            filters.push(json!({"terms": {field::ORDER_ID: orders}}));
        }
        if let Some(first) = scope.first_event() {
            // Event ids begin with their time, and are compared as text.
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
            "pit": {"id": self.point_in_time, "keep_alive": KEEP_ALIVE},
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
            other => Err(anyhow!("a response without hits: {other}")),
        }
    }

    /// Releases the point in time. A failure is ignored, because Elasticsearch releases it after [`KEEP_ALIVE`] anyway.
    pub(crate) async fn close(self) {
        let _ = self.log.call(Method::DELETE, "_pit", Some(&json!({"id": self.point_in_time}))).await;
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
