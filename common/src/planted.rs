//! Bugs that a test plants in the services, to see that the fault run finds each of them.
//!
//! Only a build with the feature `planted-bugs` has them, no crate asks for it, and a release build with it doesn't compile.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs are for tests, and never for a release");

/// A bug. Each breaks another promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The inbox takes every message for a new one.
    NoInbox,
    /// The record of a change is written after the commit, and nowhere before.
    CommitBeforeRecord,
    /// An order that is taken can be taken again.
    TakeWithoutCondition,
    /// Each process keeps the idempotency keys in its own memory.
    KeysInMemory,
    /// A read may be answered with what was true a moment ago.
    StaleReads,
    /// The relay deletes messages before it publishes them.
    ForgetfulRelay,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Self; 6] = [
        Self::NoInbox,
        Self::CommitBeforeRecord,
        Self::TakeWithoutCondition,
        Self::KeysInMemory,
        Self::StaleReads,
        Self::ForgetfulRelay,
    ];

    /// The name, by which [`VARIABLE`] chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoInbox => "no-inbox",
            Self::CommitBeforeRecord => "commit-before-record",
            Self::TakeWithoutCondition => "take-without-condition",
            Self::KeysInMemory => "keys-in-memory",
            Self::StaleReads => "stale-reads",
            Self::ForgetfulRelay => "forgetful-relay",
        }
    }
}

/// The variable that names a process's bug.
pub const VARIABLE: &str = "PLANTED_BUG";

/// Whether this process has the bug.
#[must_use]
pub fn has(bug: Bug) -> bool {
    cfg!(feature = "planted-bugs") && std::env::var(VARIABLE).is_ok_and(|name| name == bug.name())
}

/// Waits a moment in which the process may be killed, if it has the bug.
pub async fn hesitate(bug: Bug) {
    if has(bug) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a bug keeps in the memory of its process.
static MEMORY: Mutex<BTreeMap<String, (Instant, Value)>> = Mutex::new(BTreeMap::new());

/// Keeps a value, if the process has the bug.
pub fn remember(bug: Bug, key: &str, value: &impl Serialize) {
    if has(bug)
        && let Ok(value) = serde_json::to_value(value)
    {
        MEMORY.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), (Instant::now(), value));
    }
}

/// Returns a value that was kept within this time, if the process has the bug.
#[must_use]
pub fn recall<T: DeserializeOwned>(bug: Bug, key: &str, within: Duration) -> Option<T> {
    if !has(bug) {
        return None;
    }
    let memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, value) = memory.get(key).filter(|(kept, _)| kept.elapsed() < within)?;
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_build_has_a_bug_that_was_not_asked_for() {
        const { assert!(!cfg!(feature = "planted-bugs"), "a crate of the workspace asks for planted bugs") };
    }
}
