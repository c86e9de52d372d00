//! What CRM and MES say of each other's steps is late, but never ahead, and not late for long: a status that a client sets in
//! one database is shown by the other one only after it was asked for, and soon after it was acknowledged.

use std::{collections::BTreeMap, time::Duration};

use common::domain::OrderStatus;

use super::violation::Violation;
use crate::history::{Call, Operation, Outcome};

const PROMISE: &str = "a step of the other system is shown soon, and never before it is made";

/// A step that a client asked for.
struct Step {
    database: &'static str,
    /// When it was asked for first.
    asked: u64,
    /// When it was acknowledged first.
    acknowledged: u64,
}

pub(super) fn check(history: &[Operation], patience: Duration) -> Vec<Violation> {
    let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
    let mut steps: BTreeMap<(&str, OrderStatus), Step> = BTreeMap::new();
    for operation in history.iter().filter(|operation| !matches!(operation.outcome, Outcome::Fail(_))) {
        let (Some(order), Some(status)) = (operation.order(), step(operation)) else { continue };
        let database = operation.database();
        let step = steps.entry((order, status)).or_insert(Step { database, asked: u64::MAX, acknowledged: u64::MAX });
        step.asked = step.asked.min(operation.invoked);
        step.acknowledged = step.acknowledged.min(operation.completed);
    }
    let mut violations = Vec::new();
    for operation in history {
        let (Call::Read { order }, Some(seen)) = (&operation.call, operation.seen()) else { continue };
        for status in OrderStatus::ALL {
            let Some(step) = steps.get(&(order.as_str(), status)) else { continue };
            if step.database == operation.database() {
                continue;
            }
            if seen.status >= status && operation.completed < step.asked {
                violations.push(Violation::new(
                    PROMISE,
                    format_args!("{status} is shown before it is asked for: {operation}"),
                ));
            }
            if seen.status < status && operation.invoked > step.acknowledged.saturating_add(patience) {
                violations.push(Violation::new(PROMISE, format_args!("{status} is still not shown: {operation}")));
            }
        }
    }
    violations
}

/// The status that a call sets in the other database, too.
fn step(operation: &Operation) -> Option<OrderStatus> {
    match &operation.call {
        // The MES never hears of an order's end.
        Call::Advance { to: OrderStatus::Closed, .. } => None,
        Call::Advance { to, .. } => Some(*to),
        Call::Take { .. } => Some(OrderStatus::ManufacturingStarted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    /// An order that was approved from 1 to 2 s, and is read from 5 to 6 s.
    fn broken(patience: u64, asked: u64, shown: &str) -> usize {
        let history = history::of(&format!(
            r#"{{"operation":1,"at_ns":{asked},"event":"invoke","client":"s","replica":"crm-api/0","call":"advance","order":"A-1","to":"MANUFACTURING_APPROVED"}}
               {{"operation":1,"at_ns":{},"event":"ok","answer":{{"order":{{"id":"A-1","status":"MANUFACTURING_APPROVED"}}}}}}
               {{"operation":2,"at_ns":5000000000,"event":"invoke","client":"o","replica":"mes-api/0","call":"read","order":"A-1"}}
               {{"operation":2,"at_ns":6000000000,"event":"ok","answer":{{"order":{{"id":"A-1","status":"{shown}"}}}}}}"#,
            asked + 1_000_000_000,
        ));
        check(&history, Duration::from_secs(patience)).len()
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_other_system_may_be_late() {
        assert_eq!(broken(10, SECOND, "MANUFACTURING_APPROVED"), 0);
        assert_eq!(broken(10, SECOND, "PRICE_CALCULATED"), 0);
        assert_eq!(broken(1, SECOND, "MANUFACTURING_APPROVED"), 0);
    }

    #[test]
    fn one_that_is_too_late_or_ahead_is_found() {
        assert_eq!(broken(1, SECOND, "PRICE_CALCULATED"), 1);
        assert_eq!(broken(1, 7 * SECOND, "MANUFACTURING_APPROVED"), 1);
    }
}
