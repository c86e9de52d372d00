//! A client of one service's REST interface.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::host::{process::POLL, secret};
use crate::system::accounts::Login;

/// The limit for a response, and for a price, a message or a record to arrive. They take at most seconds, but more on a
/// busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one service, with or without a token.
pub(crate) struct ApiClient {
    client: Client,
    address: String,
    token: Option<String>,
}

impl ApiClient {
    pub(crate) fn anonymous(address: &str) -> Self {
        Self { client: Client::new(), address: address.to_owned(), token: None }
    }

    pub(crate) async fn log_in(address: &str, account: &Login) -> Result<Self> {
        let anonymous = Self::anonymous(address);
        let session = anonymous.call(Method::POST, "/sessions", Some(json!(account))).await?;
        let token = session["token"].as_str().context("a session without a token")?;
        Ok(anonymous.with_token(token))
    }

    /// A new customer of the shop at this address, logged in, and the login.
    pub(crate) async fn new_customer(shop: &str) -> Result<(Self, Login)> {
        let login = format!("demo-{}", &secret::random()?[..12]);
        let customer = Login { login, password: secret::random()? };
        Self::anonymous(shop).call(Method::POST, "/customers", Some(json!(customer))).await?;
        Ok((Self::log_in(shop, &customer).await?, customer))
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { client: self.client.clone(), address: self.address.clone(), token: Some(token.to_owned()) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address)).timeout(PATIENCE);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and returns the response's body. A status other than 2xx is an error.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let what = format!("{method} {path}");
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        send(request, &what).await
    }

    /// Sends a request that the service may refuse: returns the status, and the `Retry-After` of the response.
    pub(crate) async fn attempt(&self, path: &str, body: &Value) -> Result<(StatusCode, Option<Duration>)> {
        let request = self.request(Method::POST, path).json(body);
        let response = request.send().await.with_context(|| format!("POST {path}"))?;
        let wait = response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        Ok((response.status(), wait.map(Duration::from_secs)))
    }

    /// Sends a request without a body and returns the status of the response, whatever it is.
    pub(crate) async fn status(&self, method: Method, path: &str) -> Result<StatusCode> {
        let what = format!("{method} {path}");
        let response = self.request(method, path).send().await.with_context(|| what.clone())?;
        let status = response.status();
        // The connection can be used again once the response is read.
        response.bytes().await.context(what)?;
        Ok(status)
    }

    /// Creates an order and returns its number.
    pub(crate) async fn create_order(&self, order: &Value) -> Result<String> {
        let order = self.call(Method::POST, "/orders", Some(order.clone())).await?;
        Ok(order["id"].as_str().context("an order without a number")?.to_owned())
    }

    pub(crate) async fn upload(&self, order: &str, filename: &str, model: Vec<u8>) -> Result<()> {
        let path = format!("/orders/{order}/model?filename={filename}");
        let request = self.request(Method::PUT, &path).header("content-type", "application/octet-stream").body(model);
        send(request, &format!("PUT {path}")).await.map(drop)
    }

    pub(crate) async fn advance(&self, order: &str, status: &str) -> Result<()> {
        let body = json!({ "status": status });
        self.call(Method::POST, &format!("/orders/{order}/status"), Some(body)).await.map(drop)
    }

    /// Polls the order until it has this status.
    pub(crate) async fn wait_for(&self, order: &str, status: &str) -> Result<Value> {
        self.wait_until(order, &format!("become {status}"), |seen| seen["status"] == status).await
    }

    /// Polls the order until `done` returns true for it.
    pub(crate) async fn wait_until(&self, order: &str, what: &str, done: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = match self.call(Method::GET, &format!("/orders/{order}"), None).await {
                Ok(seen) if done(&seen) => return Ok(seen),
                Ok(seen) => seen["status"].to_string(),
                // The MES doesn't know an order before the message about it has arrived.
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("order {order} did not {what} within {} s: {seen}", PATIENCE.as_secs());
            }
            tokio::time::sleep(POLL * 4).await;
        }
    }
}

async fn send(request: RequestBuilder, what: &str) -> Result<Value> {
    let response = request.send().await.with_context(|| what.to_owned())?;
    let status = response.status();
    let body = response.text().await.with_context(|| what.to_owned())?;
    if !status.is_success() {
        bail!("the response to {what} was {status}: {body}");
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body).with_context(|| format!("{what}: no JSON in the response"))
}
