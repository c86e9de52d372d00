//! What must never stand in a log, kept as it is used: passwords, tokens, keys, logins and comments.

use std::sync::{Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use uuid::Uuid;

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A new text that can be recognised wherever it turns up.
pub fn new(kind: &str) -> String {
    keep(&format!("{kind}-{}", Uuid::now_v7().simple()))
}

/// Notes a text that others made.
pub fn keep(text: &str) -> String {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    text.to_owned()
}

/// Finds any of them so far in one pass over a text: there are thousands, and the lines to look into are many more.
pub fn finder() -> AhoCorasick {
    AhoCorasick::new(&*SECRETS.lock().unwrap_or_else(PoisonError::into_inner)).expect("few enough")
}
