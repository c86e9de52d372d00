//! Failed logins in a row, by a hash of the login: Elasticsearch doesn't say whether an account exists, and the page
//! doesn't have to know. In memory only, as the sessions are.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use common::auth::throttle;

/// The counts of each kind at most; the oldest one makes room.
const MOST: usize = 10_000;

/// Failed logins in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Arc<Mutex<Counts>>);

/// How many failures in a row there are, and when the last of them, or the login before them, was.
type Count = (i32, Instant);
/// A login and an address.
type Place = (String, IpAddr);

#[derive(Debug, Default)]
struct Counts {
    /// Of each login, from all addresses.
    logins: HashMap<String, Count>,
    /// Where the login has succeeded before, only failures from there make it wait: clients elsewhere can't keep its owner
    /// out. Only a login that succeeds adds a place, so failures push none out.
    known: HashMap<Place, Count>,
}

impl Failures {
    /// How long this login still has to wait at this address, if at all.
    pub(crate) fn delay(&self, login: &str, address: IpAddr) -> Option<Duration> {
        self.lock().delay(&(login.to_owned(), address))
    }

    /// Counts an attempt that Elasticsearch has decided on, and returns how many failures in a row there are. One that
    /// succeeded starts the count anew.
    ///
    /// # Errors
    ///
    /// How long it has to wait, if attempts at the same time have failed meanwhile: it counts for nothing then.
    pub(crate) fn settle(&self, login: &str, address: IpAddr, succeeded: bool) -> Result<i32, Duration> {
        let place = (login.to_owned(), address);
        let mut counts = self.lock();
        if let Some(wait) = counts.delay(&place) {
            return Err(wait);
        }
        if succeeded {
            counts.logins.remove(login);
            set(&mut counts.known, place, 0);
            return Ok(0);
        }
        if counts.known.contains_key(&place) {
            count(&mut counts.known, place);
        }
        Ok(count(&mut counts.logins, login.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn delay(&self, place: &Place) -> Option<Duration> {
        let (failures, failed_at) = self.known.get(place).or_else(|| self.logins.get(&place.0))?;
        throttle::delay(*failures, failed_at.elapsed())
    }
}

/// Counts one more failure, and returns how many in a row there are.
fn count<K: Clone + Eq + Hash>(counts: &mut HashMap<K, Count>, key: K) -> i32 {
    let before = counts.get(&key).filter(|(_, failed_at)| failed_at.elapsed() < throttle::WINDOW);
    let failures = before.map_or(1, |(failures, _)| failures.saturating_add(1));
    set(counts, key, failures);
    failures
}

/// Sets a count as of now.
fn set<K: Clone + Eq + Hash>(counts: &mut HashMap<K, Count>, key: K, failures: i32) {
    if counts.len() >= MOST
        && !counts.contains_key(&key)
        && let Some(oldest) = counts.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone())
    {
        counts.remove(&oldest);
    }
    counts.insert(key, (failures, Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    /// Failures until there is a wait.
    fn fail(failures: &Failures, login: &str, address: IpAddr) -> Vec<i32> {
        std::iter::from_fn(|| failures.settle(login, address, false).ok()).collect()
    }

    #[test]
    fn failures_are_counted_for_each_login_until_it_succeeds() {
        let failures = Failures::default();
        assert_eq!([(); 4].map(|()| failures.settle("one", OFFICE, false)), [Ok(1), Ok(2), Ok(3), Ok(4)]);
        assert_eq!(failures.settle("other", OFFICE, false), Ok(1));
        assert_eq!(failures.settle("one", OFFICE, true), Ok(0));
        assert_eq!(failures.settle("one", OFFICE, false), Ok(1));
        assert_eq!(failures.settle("other", OFFICE, false), Ok(2));
    }

    #[test]
    fn what_was_sent_before_the_delay_counts_for_nothing_after_it_began() {
        let failures = Failures::default();
        assert_eq!(fail(&failures, "one", OFFICE), [1, 2, 3, 4, 5]);
        assert!(failures.delay("one", ELSEWHERE).is_some());
        assert!(failures.settle("one", OFFICE, true).is_err(), "a right guess is not told from a wrong one");
        assert_eq!(failures.delay("other", OFFICE), None);
    }

    #[test]
    fn where_a_login_has_succeeded_only_failures_from_there_make_it_wait() {
        let failures = Failures::default();
        assert_eq!(failures.settle("one", OFFICE, true), Ok(0));
        assert_eq!(fail(&failures, "one", ELSEWHERE).len(), 5);
        assert_eq!(failures.delay("one", OFFICE), None);
        assert_eq!(failures.settle("one", OFFICE, false), Ok(6), "of the login, from all addresses");
        assert_eq!(fail(&failures, "one", OFFICE).len(), 4);
        assert!(failures.delay("one", OFFICE).is_some());
        assert_eq!(failures.delay("other", OFFICE), None);
    }

    #[test]
    fn any_number_of_logins_takes_no_more_room_and_pushes_no_known_address_out() {
        let failures = Failures::default();
        assert_eq!(failures.settle("one", OFFICE, true), Ok(0));
        for login in 0..=MOST {
            assert_eq!(failures.settle(&login.to_string(), ELSEWHERE, false), Ok(1));
        }
        assert_eq!(failures.lock().logins.len(), MOST);
        assert_eq!(fail(&failures, "one", ELSEWHERE).len(), 5);
        assert_eq!(failures.delay("one", OFFICE), None);
    }
}
