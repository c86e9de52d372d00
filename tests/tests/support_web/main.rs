//! Support's page as its employees see it: without a browser for what is in a response, in a real browser for the rest.
//! The logs are made-up records in a real Elasticsearch.

mod access;
mod answers;
mod browser;
mod driver;
mod logs;
mod outages;
mod spans;
mod system;
