//! An order is one linearizable register over its ten statuses, for all services of a database and all their replicas.
//!
//! A status that a response acknowledged or showed is in every later response, or a later status is. No step is skipped,
//! repeated or undone. A refusal is right at the moment that it is made, and a response's history ends in its status.

use common::domain::OrderStatus::{
    self, Closed, FileUploaded, Initiated, ManufacturingApproved, ManufacturingStarted, PriceCalculated, Submitted,
};

use super::{
    linearizable::{self, Object},
    violation::Violation,
};
use crate::history::{Call, Operation, Outcome, SeenOrder, by_order};

const PROMISE: &str = "an order's status never goes back, and no step is skipped or repeated";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let illegal = by_order(history).into_iter().filter_map(|((order, database), operations)| {
        let error = linearizable::check(&Register { order, database }, &operations).err()?;
        Some(Violation::new(PROMISE, format_args!("{order} in {database}: {error}")))
    });
    illegal.collect()
}

/// An order in a database.
pub(super) struct Register<'a> {
    pub(super) order: &'a str,
    pub(super) database: &'static str,
}

/// No status before the database has the order.
pub(super) type State = Option<OrderStatus>;

impl Object for Register<'_> {
    type State = State;

    fn step(&self, state: &State, operation: &Operation) -> Option<State> {
        match &operation.outcome {
            Outcome::Ok(_) => self.done(*state, &operation.call, operation.seen()?),
            Outcome::Fail(_) => self.refused(*state, &operation.call, operation.refusal()?),
            Outcome::Unknown => match &operation.call {
                Call::Upload { .. } => upload(*state),
                Call::Advance { to, .. } => self.advance(*state, *to),
                Call::Take { .. } => self.advance(*state, ManufacturingStarted),
                _ => None,
            },
        }
    }
}

impl Register<'_> {
    /// Whether a status is set here without a client's call: by the other system's message, or by the price's calculation.
    fn comes_by_itself(&self, status: OrderStatus) -> bool {
        match (self.database, status) {
            (_, PriceCalculated) => true,
            (_, status) if status <= Submitted => self.order.starts_with('P') == (self.database == "shop"),
            ("shop", ManufacturingApproved | Closed) => false,
            ("shop", _) => true,
            (_, status) => status == ManufacturingApproved,
        }
    }

    /// The state `to`, if it is this one or follows from it without a client's call.
    fn reach(&self, state: State, to: OrderStatus) -> Option<State> {
        let mut between = OrderStatus::ALL.into_iter().filter(|status| Some(*status) > state && *status <= to);
        (state <= Some(to) && between.all(|status| self.comes_by_itself(status))).then_some(Some(to))
    }

    fn advance(&self, state: State, to: OrderStatus) -> Option<State> {
        self.reach(state, to.previous()?).map(|_| Some(to))
    }

    fn done(&self, state: State, call: &Call, seen: &SeenOrder) -> Option<State> {
        let next = match call {
            // A repeated request gets the first answer, whatever happened since.
            Call::Create { .. } => return Some(state.or(Some(seen.status))),
            Call::Upload { .. } => upload(state)?,
            Call::Advance { to, .. } => self.advance(state, *to)?,
            // That only one operator gets it is a promise of its own.
            Call::Take { .. } if state == Some(ManufacturingStarted) => state,
            Call::Take { .. } => self.advance(state, ManufacturingStarted)?,
            _ => self.reach(state, seen.status)?,
        };
        let history = seen.history.iter().map(|change| change.status);
        let is_whole = seen.history.is_empty()
            || history.eq(OrderStatus::ALL.into_iter().take_while(|status| *status <= seen.status));
        (next == Some(seen.status) && is_whole).then_some(next)
    }

    fn refused(&self, state: State, call: &Call, code: &str) -> Option<State> {
        let to = match call {
            Call::Upload { .. } => FileUploaded,
            Call::Advance { to, .. } => *to,
            Call::Take { .. } => ManufacturingStarted,
            _ => Initiated,
        };
        match code {
            "order_not_found" => state.is_none().then_some(state),
            "status_repeated" => self.reach(state, to),
            "status_undone" if state > Some(to) => Some(state),
            "status_undone" => self.reach(state, to.next()?),
            "status_skipped" => (state < to.previous()).then_some(state),
            "status_not_settable" => None,
            "not_your_order" => (state >= Some(ManufacturingStarted)).then_some(state),
            _ => Some(state),
        }
    }
}

fn upload(state: State) -> Option<State> {
    matches!(state, Some(Initiated | FileUploaded)).then_some(Some(FileUploaded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    const LIFE: &str = r#"
        {"operation":1,"at_ns":10,"event":"invoke","client":"c","replica":"shop-api/0","call":"create","key":"k"}
        {"operation":1,"at_ns":20,"event":"ok","answer":{"order":{"id":"A-1","status":"INITIATED"}}}
        {"operation":2,"at_ns":30,"event":"invoke","client":"c","replica":"shop-api/1","call":"upload","order":"A-1","model":"00"}
        {"operation":2,"at_ns":40,"event":"ok","answer":{"order":{"id":"A-1","status":"FILE_UPLOADED"}}}
        {"operation":3,"at_ns":50,"event":"invoke","client":"c","replica":"shop-api/0","call":"advance","order":"A-1","to":"SUBMITTED"}
        {"operation":3,"at_ns":90,"event":"ok","answer":{"order":{"id":"A-1","status":"SUBMITTED"}}}
        {"operation":4,"at_ns":60,"event":"invoke","client":"s","replica":"crm-api/1","call":"advance","order":"A-1","to":"SUBMITTED"}
        {"operation":4,"at_ns":95,"event":"fail","answer":{"problem":{"code":"status_repeated","detail":"…"}}}
        {"operation":5,"at_ns":100,"event":"invoke","client":"s","replica":"crm-api/0","call":"read","order":"A-1"}
        {"operation":5,"at_ns":110,"event":"ok","answer":{"order":{"id":"A-1","status":"PRICE_CALCULATED"}}}
        {"operation":6,"at_ns":120,"event":"invoke","client":"s","replica":"crm-api/0","call":"advance","order":"A-1","to":"MANUFACTURING_APPROVED"}
        {"operation":6,"at_ns":130,"event":"unknown","reason":"503"}
        {"operation":7,"at_ns":140,"event":"invoke","client":"s","replica":"crm-api/0","call":"read","order":"A-1"}
        {"operation":7,"at_ns":150,"event":"ok","answer":{"order":{"id":"A-1","status":"PACKAGING"}}}
    "#;

    fn broken(more: &str) -> Vec<Violation> {
        check(&history::of(&format!("{LIFE}{more}")))
    }

    #[test]
    fn a_life_with_a_race_and_a_broken_connection_is_legal() {
        assert_eq!(broken(""), []);
    }

    #[test]
    fn a_status_that_was_seen_is_never_unseen() {
        let back = r#"
            {"operation":8,"at_ns":160,"event":"invoke","client":"s","replica":"crm-api/1","call":"read","order":"A-1"}
            {"operation":8,"at_ns":170,"event":"ok","answer":{"order":{"id":"A-1","status":"PRICE_CALCULATED"}}}"#;
        assert!(broken(back)[0].detail.contains("crm-api/1"), "{:?}", broken(back));
        assert_eq!(
            broken(&back.replace("160", "125")),
            [],
            "a read that began before may be answered with what was there"
        );
    }

    #[test]
    fn a_step_is_acknowledged_once() {
        let again = r#"
            {"operation":8,"at_ns":60,"event":"invoke","client":"s","replica":"crm-api/1","call":"advance","order":"A-1","to":"SUBMITTED"}
            {"operation":8,"at_ns":70,"event":"ok","answer":{"order":{"id":"A-1","status":"SUBMITTED"}}}"#;
        assert_eq!(broken(again).len(), 1);
    }

    #[test]
    fn a_status_that_only_a_client_sets_does_not_come_by_itself() {
        let closed = r#"
            {"operation":8,"at_ns":160,"event":"invoke","client":"s","replica":"crm-api/1","call":"read","order":"A-1"}
            {"operation":8,"at_ns":170,"event":"ok","answer":{"order":{"id":"A-1","status":"CLOSED"}}}"#;
        assert_eq!(broken(closed).len(), 1);
        let skipped = LIFE.replace(
            "\"event\":\"unknown\"",
            "\"event\":\"fail\",\"answer\":{\"problem\":{\"code\":\"status_skipped\",\"detail\":\"\"}}",
        );
        assert_eq!(check(&history::of(&skipped)).len(), 1, "it was not approved");
    }

    #[test]
    fn a_refusal_has_to_be_right() {
        let wrong = r#"
            {"operation":8,"at_ns":160,"event":"invoke","client":"o","replica":"mes-api/0","call":"read","order":"A-1"}
            {"operation":8,"at_ns":170,"event":"ok","answer":{"order":{"id":"A-1","status":"MANUFACTURING_APPROVED"}}}
            {"operation":9,"at_ns":180,"event":"invoke","client":"o","replica":"mes-api/0","call":"take","order":"A-1"}
            {"operation":9,"at_ns":190,"event":"fail","answer":{"problem":{"code":"status_repeated","detail":"…"}}}"#;
        assert_eq!(broken(wrong).len(), 1);
        assert_eq!(
            broken(&wrong.replace(
                r#""fail","answer":{"problem":{"code":"status_repeated","detail":"…"}}"#,
                r#""unknown","reason":"""#
            )),
            []
        );
    }

    #[test]
    fn a_response_agrees_with_itself() {
        let torn = r#"
            {"operation":8,"at_ns":160,"event":"invoke","client":"s","replica":"crm-api/1","call":"read","order":"A-2"}
            {"operation":8,"at_ns":170,"event":"ok","answer":{"order":{"id":"A-2","status":"INITIATED","history":[{"status":"INITIATED"},{"status":"FILE_UPLOADED"}]}}}"#;
        let torn = broken(torn);
        assert_eq!(torn.len(), 1, "{torn:?}");
    }
}
