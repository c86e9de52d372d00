//! Taking an order is a compare-and-set: of all operators who try, exactly one gets it, every later response names that one,
//! and only that one goes on with it. A refusal does not say who has the order.

use super::{
    linearizable::{self, Object},
    order::{self, Register},
    violation::Violation,
};
use crate::history::{Answer, Call, Operation, Outcome, by_order};

const PROMISE: &str = "exactly one operator gets an order";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for ((order, database), operations) in by_order(history) {
        let object = Assignment(Register { order, database });
        // What is illegal without its operators is another promise's.
        if database == "mes"
            && linearizable::check(&object.0, &operations).is_ok()
            && let Err(error) = linearizable::check(&object, &operations)
        {
            violations.push(Violation::new(PROMISE, format_args!("{order}: {error}")));
        }
        let operators: Vec<&str> =
            operations.iter().filter_map(|operation| operation.seen()?.operator_id.as_deref()).collect();
        for operation in operations {
            if let (Call::Take { .. }, Outcome::Fail(Answer::Problem { detail, .. })) =
                (&operation.call, &operation.outcome)
                && operators.iter().any(|operator| detail.contains(operator))
            {
                violations.push(Violation::new(PROMISE, format_args!("a refusal names an operator: {operation}")));
            }
        }
    }
    violations
}

/// An order with the operator who has it.
struct Assignment<'a>(Register<'a>);

impl Object for Assignment<'_> {
    type State = (order::State, Option<String>);

    fn step(&self, (status, operator): &Self::State, operation: &Operation) -> Option<Self::State> {
        let client = Some(&operation.client);
        let next = match (&operation.call, operation.refusal()) {
            (Call::Take { .. }, None) if operator.is_none() => client.cloned(),
            (Call::Take { .. }, None) => return None,
            (Call::Take { .. }, Some("status_repeated" | "status_undone")) if operator.is_none() => return None,
            (Call::Advance { .. }, None) if operator.as_ref() != client => return None,
            (Call::Advance { .. }, Some("not_your_order")) if operator.as_ref() == client => return None,
            _ => operator.clone(),
        };
        let is_first_answer = matches!(operation.call, Call::Create { .. });
        let shown = is_first_answer || operation.seen().is_none_or(|seen| seen.operator_id == next);
        let status = self.0.step(status, operation)?;
        shown.then_some((status, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    const RACE: &str = r#"
        {"operation":1,"at_ns":10,"event":"invoke","client":"ada","replica":"mes-api/0","call":"read","order":"A-1"}
        {"operation":1,"at_ns":20,"event":"ok","answer":{"order":{"id":"A-1","status":"MANUFACTURING_APPROVED"}}}
        {"operation":2,"at_ns":30,"event":"invoke","client":"ada","replica":"mes-api/0","call":"take","order":"A-1"}
        {"operation":3,"at_ns":31,"event":"invoke","client":"bob","replica":"mes-api/1","call":"take","order":"A-1"}
        {"operation":2,"at_ns":40,"event":"ok","answer":{"order":{"id":"A-1","status":"MANUFACTURING_STARTED","operator_id":"ada"}}}
        {"operation":3,"at_ns":50,"event":"END_OF_BOB"}
        {"operation":4,"at_ns":60,"event":"invoke","client":"cid","replica":"mes-api/1","call":"read","order":"A-1"}
        {"operation":4,"at_ns":70,"event":"ok","answer":{"order":{"id":"A-1","status":"MANUFACTURING_STARTED","operator_id":"ada"}}}
    "#;

    fn broken(end_of_bob: &str) -> Vec<Violation> {
        check(&history::of(&RACE.replace(r#""END_OF_BOB""#, end_of_bob)))
    }

    #[test]
    fn one_operator_gets_the_order_and_the_other_is_refused() {
        assert_eq!(broken(r#""fail","answer":{"problem":{"code":"status_repeated","detail":"It is taken."}}"#), []);
        assert_eq!(broken(r#""unknown","reason":"reset""#), []);
    }

    #[test]
    fn two_operators_who_both_believe_to_have_it_are_found() {
        let both = r#""ok","answer":{"order":{"id":"A-1","status":"MANUFACTURING_STARTED","operator_id":"bob"}}"#;
        assert_eq!(broken(both).len(), 1);
    }

    #[test]
    fn an_assignment_that_changes_is_found() {
        let history = RACE.replace(r#""END_OF_BOB""#, r#""unknown","reason":"reset""#);
        let (before, after) = history.rsplit_once(r#""ada""#).unwrap();
        assert_eq!(check(&history::of(&format!(r#"{before}"bob"{after}"#))).len(), 1);
    }

    #[test]
    fn a_refusal_that_names_the_winner_is_found() {
        let names = r#""fail","answer":{"problem":{"code":"status_repeated","detail":"It is ada's."}}"#;
        assert!(broken(names)[0].detail.contains("names an operator"));
    }
}
