//! What the three services share: the order's rules, the log record, HTTP, accounts, messages, settings and the shell
//! that runs a service.
//!
//! Whatever stands in two services belongs here; whatever only one of them needs doesn't.

pub mod auth;
mod batcher;
pub mod crash;
pub mod database;
pub mod domain;
pub mod failure;
pub mod http;
pub mod idempotency;
pub mod journal;
pub mod messaging;
pub mod model_store;
pub mod service;
mod state;
pub mod telemetry;

pub use batcher::Batcher;
pub use failure::{Failure, FailureContext};
pub use state::{Core, Health, SessionLimits};
