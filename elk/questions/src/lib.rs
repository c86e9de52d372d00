//! The questions that people ask of the logs, each as a search with bounds: Support's page, the terminal's commands and
//! tests ask them through the same functions.
//!
//! A question is a method of [`Logs`], which is an account at an Elasticsearch: who may read is decided there, and
//! nowhere else. No search has a pattern in it: what a person types is compared as a whole, so no input makes a search
//! more expensive. Every search has a time limit on the server's side and on the client's.

mod alerts;
mod client;
mod errors;
mod find;
mod glance;
mod logins;
mod period;
mod record;
mod spans;
mod story;
mod stuck;
mod trail;

pub use alerts::Alert;
pub use client::{Answer, Elasticsearch, Identity, Logs, SearchError};
pub use errors::{ErrorClass, Occurrences};
pub use find::{Found, Meaning, OrderSummary, order_numbers};
pub use glance::{LastHeard, NewOrders, StatusCount};
pub use logins::{FailedLogins, Network};
pub use period::Period;
pub use record::Record;
pub use spans::{Span, Spans, TraceSpans};
pub use story::{MessageStory, Step, Story};
pub use stuck::StuckOrder;
pub use trail::{Stay, Trail};
