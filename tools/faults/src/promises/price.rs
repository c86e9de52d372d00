//! An order's price is set once: a response that shows one is followed by none that shows another one or none, and both
//! databases have the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    linearizable::{self, Object},
    violation::Violation,
};
use crate::history::{Call, Operation, by_order};

const PROMISE: &str = "an order's price is set once";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut prices: BTreeMap<&str, BTreeSet<Amount>> = BTreeMap::new();
    for ((order, database), operations) in by_order(history) {
        let shown: Vec<_> = operations.into_iter().filter(|operation| shows_the_present(operation)).collect();
        prices.entry(order).or_default().extend(shown.iter().filter_map(|operation| amount(operation)));
        if let Err(error) = linearizable::check(&Price, &shown) {
            violations.push(Violation::new(PROMISE, format_args!("{order} in {database}: {error}")));
        }
    }
    for (order, prices) in prices.into_iter().filter(|(_, prices)| prices.len() > 1) {
        violations.push(Violation::new(PROMISE, format_args!("{order} has {prices:?}")));
    }
    violations
}

/// In minor units, and the currency.
pub(super) type Amount = (i64, String);

/// A repeated creation shows what the order was at first.
fn shows_the_present(operation: &Operation) -> bool {
    operation.seen().is_some() && !matches!(operation.call, Call::Create { .. })
}

/// The price that a response shows.
pub(super) fn amount(operation: &Operation) -> Option<Amount> {
    let price = operation.seen()?.price.as_ref()?;
    Some((price.amount_minor, price.currency.clone()))
}

/// A register that is written once, by the calculation.
struct Price;

impl Object for Price {
    type State = Option<Amount>;

    fn step(&self, state: &Self::State, operation: &Operation) -> Option<Self::State> {
        let shown = amount(operation);
        (state.is_none() || *state == shown).then_some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    /// Reads that are answered with these members, one after another; every second one by the MES.
    fn broken(prices: [&str; 4]) -> usize {
        let line = |(number, price): (usize, &str)| {
            let replica = ["crm-api/0", "mes-api/0"][number % 2];
            format!(
                r#"{{"operation":{number},"at_ns":1{number}0,"event":"invoke","client":"c","replica":"{replica}","call":"read","order":"A-1"}}
                   {{"operation":{number},"at_ns":1{number}5,"event":"ok","answer":{{"order":{{"id":"A-1","status":"SUBMITTED"{price}}}}}}}
                "#
            )
        };
        check(&history::of(&prices.into_iter().enumerate().map(line).collect::<String>())).len()
    }

    const FIVE: &str = r#","price":{"amount_minor":5,"currency":"EUR"}"#;
    const SIX: &str = r#","price":{"amount_minor":6,"currency":"EUR"}"#;

    #[test]
    fn a_price_that_comes_and_stays_is_legal() {
        assert_eq!(broken(["", FIVE, FIVE, FIVE]), 0);
        assert_eq!(broken(["", FIVE, "", FIVE]), 0, "the CRM may hear of it later");
    }

    #[test]
    fn a_price_that_changes_goes_or_differs_is_found() {
        assert_eq!(broken([FIVE, "", "", FIVE]), 1);
        assert_eq!(broken([FIVE, SIX, FIVE, SIX]), 1);
        assert_eq!(broken(["", FIVE, "", SIX]), 2);
    }
}
