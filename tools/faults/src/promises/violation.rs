//! A promise that was broken.

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) detail: String,
}

impl Violation {
    pub(crate) fn new(promise: &'static str, detail: impl fmt::Display) -> Self {
        Self { promise, detail: detail.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise «{}»: {}", self.promise, self.detail)
    }
}
