//! An account at an Elasticsearch, and one search of it.

use std::time::Duration;

use catalogue::{Service, field};
use reqwest::{Certificate, Method, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{period::Period, record::Record};

/// What Elasticsearch may spend on a search; what it has found until then is the answer.
const SEARCH_LIMIT: &str = "4s";

/// An Elasticsearch.
#[derive(Clone, Debug)]
pub struct Elasticsearch {
    http: reqwest::Client,
    address: String,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The account doesn't exist, is disabled, or has another password.
    #[error("401: Elasticsearch knows no such account with this password")]
    Unauthenticated,
    /// The account may not read the logs.
    #[error("403: the account may not read the logs")]
    Forbidden,
    /// Elasticsearch is away, or not ready.
    #[error("Elasticsearch can't be reached: {0}")]
    Unavailable(String),
    /// Elasticsearch took too long.
    #[error("Elasticsearch has not responded in time")]
    Timeout,
    /// Elasticsearch refused the request.
    #[error("Elasticsearch: {0}: {1}")]
    Refused(StatusCode, String),
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// Whether a part of the indices did not respond, or not in time, so that something may be missing.
    pub partial: bool,
}

impl<T> Answer<T> {
    /// The same answer in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: form(self.value), partial: self.partial }
    }
}

/// Who an account is, as Elasticsearch says.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account's name.
    pub login: String,
    /// Its roles.
    pub roles: Vec<String>,
}

/// The logs, as one account at Elasticsearch may read them.
#[derive(Clone, Debug)]
pub struct Logs {
    elasticsearch: Elasticsearch,
    login: String,
    password: SecretString,
}

impl Elasticsearch {
    /// The Elasticsearch at this address. A response has to be complete within `limit`. With `https://`, its certificate is
    /// from one of these authorities (PEM, none if empty) or from one of the system's.
    ///
    /// # Errors
    ///
    /// If the authorities can't be used.
    pub fn new(address: &str, limit: Duration, authorities: &str) -> Result<Self, reqwest::Error> {
        // Elasticsearch sends nobody elsewhere, and what a password goes with must not be sent there.
        let http = reqwest::Client::builder().redirect(redirect::Policy::none());
        let http = http.tls_certs_merge(Certificate::from_pem_bundle(authorities.as_bytes())?);
        let http = http.timeout(limit).connect_timeout(limit.min(Duration::from_secs(2))).build()?;
        Ok(Self { http, address: address.trim_end_matches('/').to_owned() })
    }

    /// The logs as this account sees them.
    #[must_use]
    pub fn as_account(&self, login: &str, password: SecretString) -> Logs {
        Logs { elasticsearch: self.clone(), login: login.to_owned(), password }
    }

    /// Whether it responds at all, to a caller without an account.
    pub async fn responds(&self) -> bool {
        let response = self.http.get(format!("{}/_security/_authenticate", self.address)).send().await;
        response.is_ok_and(|response| response.status() == StatusCode::UNAUTHORIZED)
    }
}

impl Logs {
    /// Who this account is.
    ///
    /// # Errors
    ///
    /// [`SearchError::Unauthenticated`] without such an account, and whatever else keeps Elasticsearch from responding.
    pub async fn identity(&self) -> Result<Identity, SearchError> {
        let body = self.send(Method::GET, "_security/_authenticate", None).await?;
        let roles = body["roles"].as_array().into_iter().flatten();
        Ok(Identity {
            login: body["username"].as_str().unwrap_or_default().to_owned(),
            roles: roles.filter_map(|role| role.as_str().map(str::to_owned)).collect(),
        })
    }

    /// One search over the records of this period.
    pub(crate) async fn search(&self, period: &Period, query: Value) -> Result<Answer<Value>, SearchError> {
        self.search_in(&period.indices(), query).await
    }

    /// One search over these indices, of which none has to exist.
    pub(crate) async fn search_in(&self, indices: &str, mut query: Value) -> Result<Answer<Value>, SearchError> {
        query["timeout"] = SEARCH_LIMIT.into();
        if query["track_total_hits"].is_null() {
            query["track_total_hits"] = false.into();
        }
        // Elasticsearch would ask each of more than 128 indices first whether it can have anything, which costs half of a
        // search, and finds out no more than their names say.
        let options = "ignore_unavailable=true&allow_partial_search_results=true&pre_filter_shard_size=65536";
        let path = format!("{indices}/_search?{options}");
        let value = self.send(Method::POST, &path, Some(&query)).await?;
        let failed = value["_shards"]["failed"].as_u64().unwrap_or_default();
        let partial = failed > 0 || value["timed_out"] == true;
        Ok(Answer { value, partial })
    }

    /// The first `limit` records that a search with a definite order finds, and whether there are more: one search for each
    /// `page` of them.
    pub(crate) async fn search_pages(
        &self,
        period: &Period,
        mut query: Value,
        page: usize,
        limit: usize,
    ) -> Result<Answer<(Vec<Record>, bool)>, SearchError> {
        let (mut records, mut partial) = (Vec::new(), false);
        loop {
            // One more says whether there are more.
            let size = page.min(limit + 1 - records.len());
            query["size"] = size.into();
            let found = self.search(period, query.clone()).await?;
            partial |= found.partial;
            let last = found.value["hits"]["hits"].as_array().and_then(|hits| hits.last());
            let last = last.map(|hit| hit["sort"].clone());
            let some = hits(found.value);
            let is_full = some.len() == size;
            records.extend(some);
            match last {
                Some(last) if is_full && records.len() <= limit => query["search_after"] = last,
                _ => break,
            }
        }
        let is_cut = records.len() > limit;
        records.truncate(limit);
        Ok(Answer { value: (records, is_cut), partial })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, SearchError> {
        let request = self.elasticsearch.http.request(method, format!("{}/{path}", self.elasticsearch.address));
        let mut request = request.basic_auth(&self.login, Some(self.password.expose_secret()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| of_transport(&error))?;
        let status = response.status();
        match status {
            StatusCode::UNAUTHORIZED => return Err(SearchError::Unauthenticated),
            StatusCode::FORBIDDEN => return Err(SearchError::Forbidden),
            _ => {}
        }
        let body: Value = response.json().await.map_err(|error| of_transport(&error))?;
        let reason = || body["error"]["reason"].as_str().unwrap_or("no reason given").to_owned();
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Err(SearchError::Unavailable(reason())),
            _ => Err(SearchError::Refused(status, reason())),
        }
    }
}

fn of_transport(error: &reqwest::Error) -> SearchError {
    if error.is_timeout() {
        return SearchError::Timeout;
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    SearchError::Unavailable(text)
}

/// The records among the hits of a response.
pub(crate) fn hits(mut response: Value) -> Vec<Record> {
    let Value::Array(hits) = response["hits"]["hits"].take() else { return Vec::new() };
    hits.into_iter().map(|mut hit| Record::new(hit["_source"].take())).collect()
}

/// The buckets of an aggregation; none before the first record, when there is no index.
pub(crate) fn buckets<'a>(aggregations: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    aggregations[name]["buckets"].as_array().into_iter().flatten()
}

/// The records that all of these filters let through, in this period. What Support's page itself records, such as who
/// has looked an order up, is no part of an order's life.
pub(crate) fn matching(mut filters: Vec<Value>, period: &Period) -> Value {
    filters.extend(period.filter());
    json!({ "bool": { "filter": filters, "must_not": [{ "term": { field::NAME: Service::SupportWeb.name() } }] } })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_password_is_sent_nowhere_else() {
        let (first, elsewhere) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, target) = (first.local_addr().unwrap(), elsewhere.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut connection, _) = first.accept().unwrap();
            let lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            write!(
                connection,
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n"
            )
            .unwrap();
            lines
        });
        let elasticsearch = Elasticsearch::new(&format!("http://{address}"), Duration::from_secs(5), "");
        let logs = elasticsearch.unwrap().as_account("ada", "secret".into());
        assert!(matches!(logs.identity().await, Err(SearchError::Unavailable(_))));
        assert!(server.join().unwrap().iter().any(|line| line.to_lowercase().starts_with("authorization: basic")));
        elsewhere.set_nonblocking(true).unwrap();
        assert!(elsewhere.accept().is_err(), "the redirection was followed");
    }
}
