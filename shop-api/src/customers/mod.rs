//! Customers.

pub(crate) mod commands;
