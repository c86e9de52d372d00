//! A client of Elasticsearch's REST interface, to set it up. What people ask of the logs is in the crate `questions`.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use reqwest::{Certificate, Method};
use serde_json::Value;

use crate::system::accounts::Login;

/// The limit for a response: Elasticsearch accepts connections even when it responds to none.
const RESPONSE_LIMIT: Duration = Duration::from_secs(60);

/// An account at an Elasticsearch.
#[derive(Clone, Debug)]
pub(crate) struct Elasticsearch {
    client: reqwest::Client,
    address: String,
    account: Login,
}

impl Elasticsearch {
    /// A client that also trusts the authorities of these certificates (PEM).
    pub(crate) fn new(address: &str, account: &Login, authorities: &str) -> Result<Self> {
        let authorities = Certificate::from_pem_bundle(authorities.as_bytes())?;
        let client = reqwest::Client::builder().tls_certs_merge(authorities).timeout(RESPONSE_LIMIT).build()?;
        Ok(Self { client, address: address.to_owned(), account: account.clone() })
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
}
