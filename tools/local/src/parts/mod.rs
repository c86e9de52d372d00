//! The parts of the system: how each is set up, started, and checked for readiness.

pub(crate) mod certificates;
pub(crate) mod distribution;
pub(crate) mod elasticsearch;
pub(crate) mod java;
pub(crate) mod kind;
pub(crate) mod needs;
pub(crate) mod postgres;
pub(crate) mod postgres_programs;
pub(crate) mod rabbitmq;
pub(crate) mod services;
pub(crate) mod shipper;
