//! An HTTP client that retries until a service responds.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a request is retried.
const RETRIES_END_AFTER: Duration = Duration::from_secs(600);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A client of one service, which has several replicas.
#[derive(Clone, Debug)]
pub(crate) struct RetryingClient {
    http: reqwest::Client,
    addresses: Vec<String>,
}

/// The response to a request.
pub(crate) struct Response {
    /// Method and path of the request, for error texts.
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// How many tries failed before this response.
    pub(crate) retries: u32,
}

impl RetryingClient {
    pub(crate) fn new(addresses: Vec<String>) -> Self {
        Self { http: reqwest::Client::new(), addresses }
    }

    /// Sends a request to random replicas until one returns a response that doesn't ask for a retry.
    ///
    /// # Errors
    ///
    /// No replica did so within ten minutes.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response> {
        let deadline = Instant::now() + RETRIES_END_AFTER;
        let (mut pause, mut retries) = (FIRST_PAUSE, 0);
        while Instant::now() < deadline {
            let address = &self.addresses[fastrand::usize(..self.addresses.len())];
            let request = self.http.request(method.clone(), format!("{address}{path}")).timeout(REQUEST_TIMEOUT);
            match testkit::Response::try_to(complete(request)).await {
                Ok(testkit::Response { status, json, .. }) if !asks_for_retry(status, &json) => {
                    return Ok(Response { request: format!("{method} {path}"), status, json, retries });
                }
                _ => retries += 1,
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        bail!("{method} {path} gets no response")
    }
}

/// Whether the service failed, limits the rate, or still works on the same request.
fn asks_for_retry(status: u16, json: &Value) -> bool {
    status >= 500 || status == 429 || json["code"] == "request_in_progress"
}
