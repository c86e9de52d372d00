//! Incidents on demand: each makes something go wrong on a running system by the means that it would happen by, so that
//! a person, or a test, can watch what the logs, the alerts and the runbook make of it.

mod inject;
mod kinds;
mod pause;
mod replica;

pub use kinds::{Incident, Ongoing, Signs};
