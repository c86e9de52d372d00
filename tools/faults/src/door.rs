//! A service as its clients find it: at one of several addresses, and not always.

use std::time::{Duration, Instant};

use testkit::Response as Answer;
use reqwest::{Method, RequestBuilder};

/// No answer after so long is none.
const PATIENCE_WITH_ONE: Duration = Duration::from_secs(20);
/// A client tries again for so long.
const PATIENCE: Duration = Duration::from_secs(600);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A service's addresses.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    http: reqwest::Client,
    addresses: Vec<String>,
}

/// An answer, and after how many tries in vain.
pub(crate) struct Insisted {
    pub(crate) answer: Answer,
    pub(crate) tries_before: u32,
}

impl Door {
    pub(crate) fn new(addresses: Vec<String>) -> Self {
        Self { http: reqwest::Client::new(), addresses }
    }

    /// Asks one address after another until there is an answer that isn't «later»; nothing if there is none for long.
    pub(crate) async fn insist(
        &self,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Option<Insisted> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(50);
        let mut tries_before = 0;
        while Instant::now() < deadline {
            let address = &self.addresses[fastrand::usize(..self.addresses.len())];
            let request = self.http.request(method.clone(), format!("{address}{path}")).timeout(PATIENCE_WITH_ONE);
            match Answer::try_to(complete(request)).await {
                Ok(answer) if !is_later(&answer) => return Some(Insisted { answer, tries_before }),
                _ => tries_before += 1,
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        None
    }
}

/// Whether the client is to come back: a failure of ours, a limit, or the same request is still under way.
fn is_later(answer: &Answer) -> bool {
    answer.status >= 500 || answer.status == 429 || answer.json["code"] == "request_in_progress"
}
