//! An HTTP client that retries until a service responds, and records each try.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use catalogue::Service;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::history::{Call, Outcome, Recorder};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A client of one service, which has several replicas.
#[derive(Clone, Debug)]
pub(crate) struct RetryingClient {
    pub(crate) http: reqwest::Client,
    pub(crate) service: Service,
    pub(crate) addresses: Vec<String>,
    pub(crate) recorder: Arc<Recorder>,
    /// How long a request is retried.
    pub(crate) patience: Duration,
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// How many tries failed before this response.
    pub(crate) retries: u32,
}

/// What is sent: a call of an account, and how it becomes a request to a replica's address.
pub(crate) struct Request<'a> {
    pub(crate) account: &'a str,
    /// `None` for what is in no history.
    pub(crate) call: Option<&'a Call>,
    pub(crate) build: &'a (dyn Fn(&str) -> RequestBuilder + Send + Sync),
}

impl RetryingClient {
    /// Sends a request to random replicas until one returns a response that doesn't ask for a retry.
    ///
    /// # Errors
    ///
    /// No replica did so while the client had patience.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Response> {
        let deadline = Instant::now() + self.patience;
        let (mut pause, mut retries) = (FIRST_PAUSE, 0);
        while Instant::now() < deadline {
            match self.try_once(request).await? {
                Some((status, json)) if !asks_for_retry(status, &json) => {
                    return Ok(Response { status, json, retries });
                }
                _ => retries += 1,
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        bail!(
            "{} gets no response from {}",
            request.call.map_or_else(String::new, |call| format!("{call:?}")),
            self.service
        )
    }

    /// Sends a request to a random replica, once. Returns the response's status and body, if one comes.
    ///
    /// # Errors
    ///
    /// The history can't be written.
    pub(crate) async fn try_once(&self, request: &Request<'_>) -> Result<Option<(u16, Value)>> {
        let replica = fastrand::usize(..self.addresses.len());
        let name = format!("{}/{replica}", self.service);
        let operation = match request.call {
            Some(call) => Some(self.recorder.invoke(request.account, &name, call)?),
            None => None,
        };
        let sent = testkit::Response::try_to((request.build)(&self.addresses[replica]).timeout(REQUEST_TIMEOUT)).await;
        let (outcome, reason) = match &sent {
            Ok(response) => (Outcome::of(response.status, &response.json), response.status.to_string()),
            Err(error) => (Outcome::Unknown, error.to_string()),
        };
        if let Some(operation) = operation {
            self.recorder.complete(operation, outcome, reason)?;
        }
        Ok(sent.ok().map(|response| (response.status, response.json)))
    }
}

/// Whether the service failed, limits the rate, or still works on the same request.
fn asks_for_retry(status: u16, json: &Value) -> bool {
    status >= 500 || status == 429 || json["code"] == "request_in_progress"
}
