//! Orders as sellers work with them.

pub(crate) mod commands;
pub(crate) mod deadlines;
pub(crate) mod watch;
