//! The pages: HTML of what the logs said. Whatever comes from a record is text, and stays text.

pub(crate) mod alerts;
pub(crate) mod errors;
pub(crate) mod found;
pub(crate) mod layout;
pub(crate) mod login;
pub(crate) mod message;
pub(crate) mod order;
pub(crate) mod parts;
pub(crate) mod silence;
pub(crate) mod start;
pub(crate) mod stuck;
pub(crate) mod trail;
pub(crate) mod waterfall;
