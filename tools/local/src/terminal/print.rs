//! Output that ignores a closed pipe or terminal: the parts have to be stopped in any case.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line to standard output.
pub(crate) fn out(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes a line to standard error.
pub(crate) fn err(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
