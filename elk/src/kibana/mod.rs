//! Kibana's saved objects: the data view, the saved searches and the dashboards, as one file that Kibana imports; and another
//! file for the auditor, in a space of its own.
//!
//! `elk/kibana/*.ndjson` are generated from here, and a test compares them; `UPDATE_GENERATED=1 cargo test -p elk` writes
//! them anew. Queries are in Lucene's syntax, which Elasticsearch understands without Kibana, so that tests
//! can run the queries of the panels.

mod audit;
mod dashboard;
mod dashboards;
mod data_view;
mod lens;
mod operations;
mod panel;
mod parts;
mod search;

pub use audit::SEARCHES as AUDIT_SEARCHES;
pub use dashboard::Dashboard;
pub use dashboards::dashboards;
pub use panel::{Bucket, Chart, Formula, Metric, Panel, View};
pub use search::{SEARCHES, Search};

use serde_json::Value;

/// The space that only the auditor sees, beside administrators.
pub const AUDIT_SPACE: &str = "audit";

/// The file for Support's space: one object per line, each after those that it refers to.
#[must_use]
pub fn saved_objects() -> String {
    let searches = SEARCHES.iter().map(|search| search.object(data_view::ID));
    let dashboards = dashboards();
    let dashboards = dashboards.iter().map(Dashboard::object);
    let objects = std::iter::once(data_view::object()).chain(searches).chain(dashboards);
    lines(objects)
}

/// The file for the space [`AUDIT_SPACE`].
#[must_use]
pub fn audit_objects() -> String {
    let searches = AUDIT_SEARCHES.iter().map(|search| search.object(audit::ID));
    lines(std::iter::once(audit::data_view()).chain(searches))
}

fn lines(objects: impl Iterator<Item = Value>) -> String {
    objects.map(|object| format!("{object}\n")).collect()
}
