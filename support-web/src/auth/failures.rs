//! Failed logins in a row, by a hash of the login: Elasticsearch doesn't say whether an account exists, and the page
//! doesn't have to know.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use common::auth::throttle;

/// Logins with failures at most; the one whose last failure is oldest makes room.
const MOST: usize = 10_000;

/// Failed logins in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Arc<Mutex<HashMap<String, (i32, Instant)>>>);

impl Failures {
    /// How long this login still has to wait, if at all.
    pub(crate) fn delay(&self, login: &str) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, failed_at) = *all.get(login)?;
        throttle::delay(failures, failed_at.elapsed())
    }

    /// Counts one more failure, and returns how many in a row there are.
    pub(crate) fn failed(&self, login: &str) -> i32 {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, failed_at)| now.duration_since(*failed_at) < throttle::WINDOW);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, (_, at))| *at).map(|(login, _)| login.clone())
        {
            all.remove(&oldest);
        }
        let (failures, failed_at) = all.entry(login.to_owned()).or_insert((0, now));
        (*failures, *failed_at) = (failures.saturating_add(1), now);
        *failures
    }

    /// Starts the count anew after a login.
    pub(crate) fn succeeded(&self, login: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(login);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_for_each_login_until_it_succeeds() {
        let failures = Failures::default();
        let counts: Vec<_> = (0..6).map(|_| failures.failed("one")).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        assert!(failures.delay("one").is_some());
        assert_eq!((failures.delay("other"), failures.failed("other")), (None, 1));
        failures.succeeded("one");
        assert_eq!((failures.delay("one"), failures.failed("one")), (None, 1));
    }
}
