//! Customers' orders.

pub(crate) mod commands;
