//! An `Idempotency-Key` makes one order, whatever is asked again, through whichever replica: every answer to the same key is
//! the first one, and another key's order is another one.

use std::collections::BTreeMap;

use super::violation::Violation;
use crate::history::{Call, Operation};

const PROMISE: &str = "an Idempotency-Key makes one order";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut first: BTreeMap<(&str, &str), &Operation> = BTreeMap::new();
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    for operation in history {
        let Call::Create { key } = &operation.call else { continue };
        if operation.refusal() == Some("idempotency_key_reused") {
            violations
                .push(Violation::new(PROMISE, format_args!("the same request is taken for another one: {operation}")));
        }
        let Some(order) = operation.seen() else { continue };
        let before = *first.entry((&*operation.client, &**key)).or_insert(operation);
        if before.seen() != Some(order) {
            violations.push(Violation::new(PROMISE, format_args!("{before}, but {operation}")));
        } else if *keys.entry(&order.id).or_insert(key) != key {
            violations.push(Violation::new(PROMISE, format_args!("an order of two keys: {operation}")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    fn created(key: &str, order: &str, again: &str) -> Vec<Violation> {
        check(&history::of(&format!(
            r#"{{"operation":1,"at_ns":1,"event":"invoke","client":"c","replica":"shop-api/0","call":"create","key":"k"}}
               {{"operation":1,"at_ns":2,"event":"unknown","reason":"reset"}}
               {{"operation":2,"at_ns":3,"event":"invoke","client":"c","replica":"shop-api/1","call":"create","key":"k"}}
               {{"operation":2,"at_ns":4,"event":"ok","answer":{{"order":{{"id":"A-1","status":"INITIATED"}}}}}}
               {{"operation":3,"at_ns":5,"event":"invoke","client":"c","replica":"shop-api/0","call":"create","key":"{key}"}}
               {{"operation":3,"at_ns":6,"event":"ok","answer":{{"order":{{"id":"{order}","status":"{again}"}}}}}}"#
        )))
    }

    #[test]
    fn the_same_key_gets_the_same_answer() {
        assert_eq!(created("k", "A-1", "INITIATED"), []);
        assert_eq!(created("l", "A-2", "INITIATED"), []);
    }

    #[test]
    fn a_second_order_and_a_second_answer_are_found() {
        assert_eq!(created("k", "A-2", "INITIATED").len(), 1);
        assert_eq!(created("k", "A-1", "SUBMITTED").len(), 1);
        assert_eq!(created("l", "A-1", "INITIATED").len(), 1);
    }
}
