//! The shared system's Elasticsearch as one of its accounts sees it.

use std::ops::Deref;

use local::Login;
pub(crate) use testkit::search::{Document, matching};

use super::system;

/// One account at the shared system's Elasticsearch.
#[derive(Clone)]
pub(crate) struct Search(testkit::search::Search);

impl Search {
    pub(crate) async fn with(login: &Login) -> Self {
        let address = system::file().await.elasticsearch.as_ref().expect("Elasticsearch runs");
        Self(testkit::search::Search::new(address, login))
    }

    /// As the account of those who look for what went wrong.
    pub(crate) async fn as_support() -> Self {
        Self(testkit::search::Search::as_support(system::file().await))
    }
}

impl Deref for Search {
    type Target = testkit::search::Search;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
