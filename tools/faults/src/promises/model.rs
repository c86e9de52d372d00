//! The model that was uploaded last before an order is submitted is the one that is priced: afterwards no response shows
//! another one, in neither database, and orders of the same model, material and quantity have the same price.
//!
//! The run's orders are all of one material and quantity.

use std::collections::{BTreeMap, BTreeSet};

use common::domain::OrderStatus::Submitted;

use super::{
    linearizable::{self, Object},
    price::{Amount, amount},
    violation::Violation,
};
use crate::history::{Call, Operation, Outcome, by_order};

const PROMISE: &str = "the model that was uploaded last is the one that is priced";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut submitted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut prices: BTreeMap<&str, BTreeSet<Amount>> = BTreeMap::new();
    for ((order, database), operations) in by_order(history) {
        for (operation, seen) in operations.iter().filter_map(|operation| Some((operation, operation.seen()?))) {
            if let Some(model) = seen.model.as_ref().filter(|_| seen.status >= Submitted) {
                submitted.entry(order).or_default().insert(&model.sha256);
                prices.entry(&model.sha256).or_default().extend(amount(operation));
            }
        }
        if database == "shop"
            && order.starts_with('A')
            && let Err(error) = linearizable::check(&Model, &operations)
        {
            violations.push(Violation::new(PROMISE, format_args!("{order}: {error}")));
        }
    }
    for (order, models) in submitted.into_iter().filter(|(_, models)| models.len() > 1) {
        violations.push(Violation::new(PROMISE, format_args!("{order} has more than one model: {models:?}")));
    }
    for (model, prices) in prices.into_iter().filter(|(_, prices)| prices.len() > 1) {
        violations.push(Violation::new(PROMISE, format_args!("the model {model} has more than one price: {prices:?}")));
    }
    violations
}

/// A register that can be written until the order is submitted.
struct Model;

/// The model, and whether the order is submitted.
type State = (Option<String>, bool);

impl Object for Model {
    type State = State;

    fn step(&self, (model, is_submitted): &State, operation: &Operation) -> Option<State> {
        let refused = matches!(operation.refusal(), Some("status_repeated" | "status_undone"));
        let next = match &operation.call {
            Call::Create { .. } => return Some((model.clone(), *is_submitted)),
            Call::Upload { .. } | Call::Advance { to: Submitted, .. } if refused => {
                return is_submitted.then(|| (model.clone(), true));
            }
            _ if matches!(operation.outcome, Outcome::Fail(_)) => return Some((model.clone(), *is_submitted)),
            Call::Upload { .. } if *is_submitted => return None,
            Call::Upload { model, .. } => (Some(model.clone()), false),
            Call::Advance { to: Submitted, .. } if *is_submitted => return None,
            Call::Advance { to: Submitted, .. } => (model.clone(), true),
            _ => (model.clone(), *is_submitted),
        };
        let shown = operation.seen().is_none_or(|seen| {
            seen.model.as_ref().map(|model| &model.sha256) == next.0.as_ref() && (seen.status >= Submitted) == next.1
        });
        shown.then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    fn broken(replaced: &str, by_crm: &str, by_mes: &str) -> usize {
        check(&history::of(&format!(
            r#"{{"operation":1,"at_ns":10,"event":"invoke","client":"c","replica":"shop-api/0","call":"upload","order":"A-1","model":"00"}}
               {{"operation":1,"at_ns":20,"event":"ok","answer":{{"order":{{"id":"A-1","status":"FILE_UPLOADED","model":{{"sha256":"00"}}}}}}}}
               {{"operation":2,"at_ns":30,"event":"invoke","client":"c","replica":"shop-api/1","call":"upload","order":"A-1","model":"11"}}
               {{"operation":2,"at_ns":40,{replaced}}}
               {{"operation":3,"at_ns":50,"event":"invoke","client":"c","replica":"shop-api/0","call":"advance","order":"A-1","to":"SUBMITTED"}}
               {{"operation":3,"at_ns":60,"event":"unknown","reason":"reset"}}
               {{"operation":4,"at_ns":70,"event":"invoke","client":"c","replica":"crm-api/0","call":"read","order":"A-1"}}
               {{"operation":4,"at_ns":80,"event":"ok","answer":{{"order":{{"id":"A-1","status":"SUBMITTED","model":{{"sha256":"{by_crm}"}}}}}}}}
               {{"operation":5,"at_ns":90,"event":"invoke","client":"c","replica":"mes-api/0","call":"read","order":"A-1"}}
               {{"operation":5,"at_ns":99,"event":"ok","answer":{{"order":{{"id":"A-1","status":"SUBMITTED","model":{{"sha256":"{by_mes}"}}}}}}}}"#
        )))
        .len()
    }

    const REPLACED: &str =
        r#""event":"ok","answer":{"order":{"id":"A-1","status":"FILE_UPLOADED","model":{"sha256":"11"}}}"#;
    const REFUSED: &str = r#""event":"fail","answer":{"problem":{"code":"status_undone","detail":""}}"#;

    #[test]
    fn the_last_model_stays() {
        assert_eq!(broken(REPLACED, "11", "11"), 0);
        assert_eq!(broken(r#""event":"unknown","reason":"reset""#, "00", "00"), 0);
        assert_eq!(broken(r#""event":"unknown","reason":"reset""#, "11", "11"), 0);
    }

    #[test]
    fn another_model_than_the_last_one_is_found() {
        assert_eq!(broken(REPLACED, "00", "00"), 1);
        assert_eq!(broken(REPLACED, "11", "00"), 1);
        assert_eq!(broken(REFUSED, "00", "00"), 1, "it was refused before the order was submitted");
    }
}
