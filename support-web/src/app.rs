//! What every handler can use.

use std::sync::Arc;

use common::auth::RateLimit;
use questions::Elasticsearch;

use crate::auth::{Failures, Sessions};

#[derive(Clone)]
pub(crate) struct App {
    /// Where the logs are.
    pub(crate) elasticsearch: Elasticsearch,
    /// Who is logged in.
    pub(crate) sessions: Sessions,
    /// Failed logins in a row.
    pub(crate) failures: Failures,
    /// Holds floods of logins off.
    pub(crate) rate_limit: RateLimit,
    /// The key that logins without a known account are hashed with in the log.
    pub(crate) login_hash_key: Arc<[u8]>,
    /// Where the documents are, for links.
    pub(crate) documents: Option<Arc<str>>,
}
