//! How many logins and registrations one address may ask for.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

use crate::{
    Core,
    http::{ApiError, Rejection, RequestInfo},
};

/// A token bucket for each address. There are 65,536 of them, whoever comes: two addresses may share one, and nobody can
/// tell beforehand which.
#[derive(Clone)]
pub struct Gate {
    buckets: Arc<RateLimiter<u16, HashMapStateStore<u16>, DefaultClock, NoOpMiddleware>>,
    choice: RandomState,
}

impl Gate {
    /// A gate that lets `burst` requests of an address through at once, and `per_second` in the long run.
    #[must_use]
    pub fn new(burst: NonZeroU32, per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self { buckets: Arc::new(RateLimiter::hashmap(quota)), choice: RandomState::new() }
    }

    /// Takes a token out of the address's bucket; the error says how long it takes until there is one again.
    fn admit(&self, source: IpAddr) -> Result<(), Duration> {
        let [low, high, ..] = self.choice.hash_one(source).to_le_bytes();
        let taken = self.buckets.check_key(&u16::from_le_bytes([low, high]));
        taken.map_err(|empty| empty.wait_time_from(DefaultClock::default().now()))
    }
}

/// Lets a request into a handler unless too many came from where it comes from: 429 then.
#[derive(Clone, Copy, Debug)]
pub struct Admitted;

impl<S> FromRequestParts<S> for Admitted
where
    S: Send + Sync,
    Core: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let source = parts.extensions.get::<Arc<RequestInfo>>().map(|request| request.source);
        match source.map_or(Ok(()), |source| Core::from_ref(state).gate.admit(source)) {
            Ok(()) => Ok(Self),
            Err(wait) => Err(Rejection::too_many_requests(wait).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(NonZeroU32::new(3).unwrap(), NonZeroU32::MIN)
    }

    #[test]
    fn a_burst_gets_in_and_then_one_at_a_time_for_each_address() {
        let gate = gate();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!((0..3).all(|_| gate.admit(one).is_ok()));
        let wait = gate.admit(one).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(gate.admit(other).is_ok() || gate.choice.hash_one(one) as u16 == gate.choice.hash_one(other) as u16);
    }

    #[test]
    fn any_number_of_addresses_takes_no_more_room() {
        let gate = gate();
        for number in 0..200_000_u32 {
            let _ = gate.admit(IpAddr::from(number.to_be_bytes()));
        }
        assert!(gate.buckets.len() <= 1 << 16, "{}", gate.buckets.len());
    }
}
