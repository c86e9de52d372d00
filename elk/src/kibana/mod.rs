//! Kibana's saved objects: the data view, the saved searches and the dashboards, as one file that Kibana imports.
//!
//! `elk/kibana/alexandrite.ndjson` is generated from here, and a test compares them; `UPDATE_KIBANA=1 cargo test -p
//! elk` writes it anew. Queries are in Lucene's syntax, which Elasticsearch understands without Kibana, so that tests
//! can run the queries of the panels.

mod dashboard;
mod dashboards;
mod data_view;
mod lens;
mod panel;
mod search;

pub use dashboard::Dashboard;
pub use dashboards::dashboards;
pub use panel::{Bucket, Chart, Formula, Metric, Panel, View};
pub use search::{SEARCHES, Search};

/// The whole file: one object per line, each after those that it refers to.
#[must_use]
pub fn saved_objects() -> String {
    let searches = SEARCHES.iter().map(Search::object);
    let dashboards = dashboards();
    let dashboards = dashboards.iter().map(Dashboard::object);
    let objects = std::iter::once(data_view::object()).chain(searches).chain(dashboards);
    objects.map(|object| format!("{object}\n")).collect()
}
