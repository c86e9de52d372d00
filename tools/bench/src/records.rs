//! The indices of the services' records, as Elasticsearch's administrator sees them.

use anyhow::{Result, anyhow};
use reqwest::Method;
use serde_json::Value;
use testkit::search::Search;
use tokio::time::sleep;

use crate::history::BACK_OFF;

/// The indices of records, but not those of who has searched.
pub(crate) const RECORDS: &str = "alexandrite-*,-alexandrite-audit-*";

/// A request of the administrator, again while Elasticsearch has as much in its memory as it may.
pub(crate) async fn call(administrator: &Search, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
    loop {
        match administrator.call(method.clone(), path, body).await {
            (200 | 201, response) => return Ok(response),
            (429, _) => sleep(BACK_OFF).await,
            (status, response) => return Err(anyhow!("{path}: {status}: {response}")),
        }
    }
}
