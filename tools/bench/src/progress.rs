//! Progress reports.

/// Reports progress on standard error; standard output has only the table.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
