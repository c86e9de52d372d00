//! Clients of a running system: of a service over REST, of Elasticsearch, and of PostgreSQL.

pub(crate) mod api;
pub(crate) mod database;
pub(crate) mod elasticsearch;
pub(crate) mod prometheus;
