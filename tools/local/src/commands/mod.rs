//! The commands of `cargo run`: one file for each.

pub(crate) mod backup;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod doctor_containers;
pub(crate) mod errors;
pub(crate) mod exec;
pub(crate) mod incident;
pub(crate) mod log_flags;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod prepare;
pub(crate) mod reconcile;
pub(crate) mod stuck;
pub(crate) mod trail;
pub(crate) mod up;
