//! Incidents on demand. Each makes something go wrong on a running system by realistic means, so that a person or a
//! test can see what the logs, the alerts and the runbook make of it.

mod floods;
mod inject;
mod kinds;
mod ongoing;
mod pause;
mod replica;

pub use kinds::{Incident, Signs};
pub use ongoing::Ongoing;
