//! The rate of logins and registrations of one address.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

/// A token bucket for each address. There are 65,536 of them for all addresses: two may share one, and which two can't be
/// predicted.
#[derive(Clone)]
pub struct RateLimit {
    buckets: Arc<RateLimiter<u16, HashMapStateStore<u16>, DefaultClock, NoOpMiddleware>>,
    choice: RandomState,
}

impl RateLimit {
    /// A limit that lets `burst` requests of an address through at once, and `per_second` in the long run.
    #[must_use]
    pub fn new(burst: NonZeroU32, per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self { buckets: Arc::new(RateLimiter::hashmap(quota)), choice: RandomState::new() }
    }

    /// Takes a token out of the address's bucket.
    ///
    /// # Errors
    ///
    /// How long it takes until there is one again, if there is none.
    pub fn admit(&self, source: IpAddr) -> Result<(), Duration> {
        let [low, high, ..] = self.choice.hash_one(source).to_le_bytes();
        let taken = self.buckets.check_key(&u16::from_le_bytes([low, high]));
        taken.map_err(|empty| empty.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> RateLimit {
        RateLimit::new(NonZeroU32::new(3).unwrap(), NonZeroU32::MIN)
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_at_a_time_for_each_address() {
        let limit = limit();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!((0..3).all(|_| limit.admit(one).is_ok()));
        let wait = limit.admit(one).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limit.admit(other).is_ok() || limit.choice.hash_one(one) as u16 == limit.choice.hash_one(other) as u16);
    }

    #[test]
    fn any_number_of_addresses_takes_no_more_room() {
        let limit = limit();
        for number in 0..200_000_u32 {
            let _ = limit.admit(IpAddr::from(number.to_be_bytes()));
        }
        assert!(limit.buckets.len() <= 1 << 16, "{}", limit.buckets.len());
    }
}
