//! The history of an order, and how two systems' histories become one.
//!
//! Messages may arrive twice, late or out of order. So a message carries the whole history as its sender knows it, and
//! [`missing`] returns what of it the receiver doesn't have yet. A late message brings nothing new, an early one brings what
//! the late one would have brought as well, and the outcome is the same.

use catalogue::Service;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{actor::Actor, status::OrderStatus};

/// One change of an order's status: a fact, the same in every database that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The status from then on.
    pub status: OrderStatus,
    /// When it was set.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who set it: an account by its role and id, or the service itself.
    #[schema(value_type = String, example = "customer:01932f7e-6f5e-7cc0-8f3b-0d6a1b1f9e55")]
    pub actor: Actor,
    /// The service that made the change.
    pub service: Service,
}

/// A history that leaves a status out, or doesn't reach back to what the receiver has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history goes from {after} to {found}, which leaves a status out")]
pub struct Gap {
    /// The last status that is known.
    pub after: OrderStatus,
    /// The one that came next.
    pub found: OrderStatus,
}

/// The part of a received history that an order in status `known` doesn't have yet; empty if it has all of it.
///
/// # Errors
///
/// If `received` is not a gapless continuation, which no sender of ours writes.
pub fn missing(known: OrderStatus, received: &[Change]) -> Result<&[Change], Gap> {
    let start = received.iter().position(|change| change.status > known).unwrap_or(received.len());
    let mut after = known;
    for change in &received[start..] {
        if after.next() != Some(change.status) {
            return Err(Gap { after, found: change.status });
        }
        after = change.status;
    }
    Ok(&received[start..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn history(statuses: &[OrderStatus]) -> Vec<Change> {
        let change = |status: &OrderStatus| Change {
            status: *status,
            at: OffsetDateTime::UNIX_EPOCH,
            actor: Actor::Service(Service::MesApi),
            service: Service::MesApi,
        };
        statuses.iter().map(change).collect()
    }

    proptest! {
        /// A sender sends its whole history after each change; the receiver gets these messages in any order, any of
        /// them more than once.
        #[test]
        fn the_order_and_number_of_messages_does_not_matter(
            start in 0..OrderStatus::ALL.len(),
            arrivals in proptest::collection::vec(0..OrderStatus::ALL.len(), 1..40),
        ) {
            let mut known = OrderStatus::ALL[start];
            let mut applied = vec![known];
            for arrival in &arrivals {
                let received = history(&OrderStatus::ALL[..=*arrival]);
                for change in missing(known, &received).expect("no gap") {
                    applied.push(change.status);
                    known = change.status;
                }
            }
            let furthest = arrivals.iter().copied().chain([start]).max().unwrap();
            prop_assert_eq!(applied, OrderStatus::ALL[start..=furthest].to_vec());
        }

        #[test]
        fn a_history_with_a_hole_is_refused(known in 0..8_usize, hole in 1..9_usize) {
            prop_assume!(hole > known);
            let mut statuses = OrderStatus::ALL.to_vec();
            let left_out = statuses.remove(hole);
            let received = history(&statuses);
            let gap = missing(OrderStatus::ALL[known], &received).expect_err("a status is missing");
            prop_assert_eq!(gap.after.next(), Some(left_out));
        }
    }
}
