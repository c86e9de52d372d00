//! A user of the system: how what they ask for becomes a request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use common::domain::OrderStatus;
use local::Login;
use reqwest::{
    RequestBuilder,
    header::CONTENT_TYPE,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    history::Call,
    models::Models,
    retrying_client::{Request, Response, RetryingClient},
};

/// Who a user is. Partner and carrier have a key, and requests of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Person,
    Partner,
    Carrier,
}

/// A client with a user's token or key.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) client: RetryingClient,
    pub(crate) models: Arc<Models>,
    pub(crate) role: Role,
    /// The account's id, or the role of a key's owner.
    pub(crate) account: String,
    pub(crate) token: String,
}

/// Why an order doesn't go on.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// No response, or no change of status, for as long as the run has patience.
    Stuck(String),
    /// A response that the request can't have.
    Unexpected(String),
}

impl User {
    /// Opens a session for an account.
    pub(crate) async fn log_in(client: RetryingClient, models: &Arc<Models>, login: &Login) -> Result<Self> {
        let credentials = json!({"login": login.login, "password": login.password});
        let build = |address: &str| client.http.post(format!("{address}/sessions")).json(&credentials);
        let session = client.send(&Request { account: "", call: None, build: &build }).await?;
        ensure!(session.status == 201, "a login got status {}", session.status);
        let text = |member: &str| session.json[member].as_str().map(str::to_owned);
        let (account, token) = text("account_id").zip(text("token")).context("a session without account or token")?;
        Ok(Self { client, models: Arc::clone(models), role: Role::Person, account, token })
    }

    /// Sends a call until there is a response.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, Failure> {
        let build = |address: &str| self.request(address, call);
        let request = Request { account: &self.account, call: Some(call), build: &build };
        self.client.send(&request).await.map_err(|error| Failure::Stuck(format!("{error:#}")))
    }

    /// Sends a call once.
    pub(crate) async fn try_once(&self, call: &Call) -> Result<Option<(u16, Value)>> {
        let build = |address: &str| self.request(address, call);
        self.client.try_once(&Request { account: &self.account, call: Some(call), build: &build }).await
    }

    /// The order as it is now.
    pub(crate) async fn read(&self, order: &str) -> Result<Value, Failure> {
        Ok(self.send(&Call::Read { order: order.to_owned() }).await?.json)
    }

    /// Polls until the order has this status, or a later one, because of another system's work.
    pub(crate) async fn wait_for(&self, order: &str, status: OrderStatus) -> Result<(), Failure> {
        let deadline = Instant::now() + self.client.patience;
        let mut pause = Duration::from_millis(100);
        loop {
            let seen = self.read(order).await?;
            if status_of(&seen) >= Some(status) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::Stuck(format!("{order} waits for {status}: {seen}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(2));
        }
    }

    fn request(&self, address: &str, call: &Call) -> RequestBuilder {
        let http = &self.client.http;
        let request = match (call, self.role) {
            (Call::Create { key }, Role::Partner) => {
                let form =
                    Form::new().text("material", "silver_925").text("quantity", "1").text("comment", key.clone());
                let model = Part::bytes(self.models.file(&self.models.small)).file_name("ring.stl");
                let request = http.post(format!("{address}/partner/orders")).header("idempotency-key", key);
                request.multipart(form.part("model", model))
            }
            (Call::Create { key }, _) => {
                let order = json!({"material": "silver_925", "quantity": 1, "comment": key});
                http.post(format!("{address}/orders")).header("idempotency-key", key).json(&order)
            }
            (Call::Upload { order, model }, _) => {
                let request = http.put(format!("{address}/orders/{order}/model?filename=ring.stl"));
                request.header(CONTENT_TYPE, "application/octet-stream").body(self.models.file(model))
            }
            (Call::Advance { order, .. }, Role::Carrier) => {
                http.post(format!("{address}/deliveries")).json(&json!({"order_id": order}))
            }
            (Call::Advance { order, to }, _) => {
                http.post(format!("{address}/orders/{order}/status")).json(&json!({"status": to}))
            }
            (Call::Take { order }, _) => http.put(format!("{address}/orders/{order}/operator")),
            (Call::Read { order }, _) => http.get(format!("{address}/orders/{order}")),
            (Call::List { limit, after, .. }, _) => {
                let after = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
                http.get(format!("{address}/orders?limit={limit}{after}"))
            }
            (Call::UseSession { .. }, _) => http.get(format!("{address}/accounts/me/sessions")),
            (Call::EndSession { .. }, _) => http.delete(format!("{address}/sessions/current")),
        };
        request.bearer_auth(&self.token)
    }
}

/// The status of an order in a response.
pub(crate) fn status_of(order: &Value) -> Option<OrderStatus> {
    serde_json::from_value(order["status"].clone()).ok()
}
