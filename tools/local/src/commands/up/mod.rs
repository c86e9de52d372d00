//! `up`: starts the system and runs it until a request to stop.

pub(crate) mod flags;
pub(crate) mod ports;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod summary;
