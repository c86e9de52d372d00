//! Output to the terminal.

pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod table;
