//! Somebody who calls one service over REST.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::host::process::POLL;
use crate::host::secret;
use crate::system::system_file::Login;

/// A price takes moments, a message less, a record two seconds; this is for a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who calls one service.
pub(crate) struct Caller {
    client: Client,
    address: String,
    token: Option<String>,
}

impl Caller {
    pub(crate) fn nobody(address: &str) -> Self {
        Self { client: Client::new(), address: address.to_owned(), token: None }
    }

    pub(crate) async fn log_in(address: &str, account: &Login) -> Result<Self> {
        let nobody = Self::nobody(address);
        let session = nobody.call(Method::POST, "/sessions", Some(json!(account))).await?;
        let token = session["token"].as_str().context("a session without a token")?;
        Ok(nobody.instead_with(token))
    }

    /// A new customer of the shop at this address, logged in, and what it logged in with.
    pub(crate) async fn new_customer(shop: &str) -> Result<(Self, Login)> {
        let login = format!("demo-{}", &secret::random()?[..12]);
        let customer = Login { login, password: secret::random()? };
        Self::nobody(shop).call(Method::POST, "/customers", Some(json!(customer))).await?;
        Ok((Self::log_in(shop, &customer).await?, customer))
    }

    pub(crate) fn instead_with(&self, token: &str) -> Self {
        Self { client: self.client.clone(), address: self.address.clone(), token: Some(token.to_owned()) }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let what = format!("{method} {path}");
        let request = self.client.request(method, format!("{}{path}", self.address));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.send(request, &what).await
    }

    /// Sends what may well be refused: gives the answer's status, and how long it says to wait before the next try.
    pub(crate) async fn attempt(&self, path: &str, body: &Value) -> Result<(StatusCode, Option<Duration>)> {
        let mut request = self.client.post(format!("{}{path}", self.address)).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.timeout(PATIENCE).send().await.with_context(|| format!("POST {path}"))?;
        let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        Ok((answer.status(), wait.map(Duration::from_secs)))
    }

    /// Creates an order; gives its number.
    pub(crate) async fn create_order(&self, wish: &Value) -> Result<String> {
        let order = self.call(Method::POST, "/orders", Some(wish.clone())).await?;
        Ok(order["id"].as_str().context("an order without a number")?.to_owned())
    }

    pub(crate) async fn upload(&self, path: &str, content: Vec<u8>) -> Result<Value> {
        let request = self.client.put(format!("{}{path}", self.address)).body(content);
        self.send(request.header("content-type", "application/octet-stream"), &format!("PUT {path}")).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, what: &str) -> Result<Value> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.timeout(PATIENCE).send().await.with_context(|| what.to_owned())?;
        let status = answer.status();
        let body = answer.text().await.with_context(|| what.to_owned())?;
        if !status.is_success() {
            bail!("{what} was answered with {status}: {body}");
        }
        if status == StatusCode::NO_CONTENT || body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).with_context(|| format!("{what}: no JSON in the answer"))
    }

    pub(crate) async fn advance(&self, order: &str, status: &str) -> Result<()> {
        let body = json!({ "status": status });
        self.call(Method::POST, &format!("/orders/{order}/status"), Some(body)).await.map(drop)
    }

    /// Asks for the order until it has this status.
    pub(crate) async fn wait_for(&self, order: &str, status: &str) -> Result<Value> {
        self.wait_until(order, &format!("become {status}"), |seen| seen["status"] == status).await
    }

    /// Asks for the order until it is as it should be.
    pub(crate) async fn wait_until(&self, order: &str, what: &str, done: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = match self.call(Method::GET, &format!("/orders/{order}"), None).await {
                Ok(seen) if done(&seen) => return Ok(seen),
                Ok(seen) => seen["status"].to_string(),
                // The MES doesn't know an order before the message about it has come.
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("order {order} did not {what} within {} s: {seen}", PATIENCE.as_secs());
            }
            tokio::time::sleep(POLL * 4).await;
        }
    }
}
