//! Clients of a running system: of a service over REST, and of Elasticsearch.

pub(crate) mod api;
pub(crate) mod elasticsearch;
