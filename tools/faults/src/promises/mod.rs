//! What callers may rely on, each promise in a file of its own, and whether a history kept it.

mod idempotency;
mod linearizable;
mod model;
mod order;
mod pages;
mod price;
mod session;
mod staleness;
mod take;
mod violation;

use std::time::Duration;

use crate::history::Operation;
pub(crate) use violation::Violation;

/// Checks a history against all promises. `patience` is how long a system may take to hear of another one's step.
pub(crate) fn check(history: &[Operation], patience: Duration) -> Vec<Violation> {
    [
        order::check(history),
        take::check(history),
        idempotency::check(history),
        price::check(history),
        model::check(history),
        pages::check(history),
        session::check(history),
        staleness::check(history, patience),
    ]
    .concat()
}
