//! `up`: starts the system and runs it until it is asked to stop.

pub(crate) mod start;
pub(crate) mod summary;
