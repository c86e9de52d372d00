//! The pages of a list, one after another, show each order that existed throughout exactly once, however many are created
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use super::violation::Violation;
use crate::history::{Answer, Call, Operation, Outcome};

const PROMISE: &str = "a list's pages show each order once";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    // When it was first known that a database has an order.
    let mut known: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut walks: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        if let Some(seen) = operation.seen() {
            let since = known.entry((operation.database(), &*seen.id)).or_insert(u64::MAX);
            *since = (*since).min(operation.completed);
        }
        if let Call::List { walk, .. } = &operation.call {
            walks.entry(walk).or_default().push(operation);
        }
    }
    walks.into_iter().flat_map(|(walk, pages)| check_walk(walk, &pages, &known)).collect()
}

fn check_walk(walk: &str, pages: &[&Operation], known: &BTreeMap<(&str, &str), u64>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut shown = BTreeSet::new();
    let mut is_complete = false;
    for page in pages {
        let Outcome::Ok(Answer::Page { orders, is_last }) = &page.outcome else { continue };
        is_complete |= is_last;
        for order in orders.iter().filter(|order| !shown.insert(order.as_str())) {
            violations.push(Violation::new(PROMISE, format_args!("the walk {walk} shows {order} twice")));
        }
    }
    let began = pages.iter().map(|page| (page.invoked, page.database())).min();
    let Some((began, database)) = began.filter(|_| is_complete) else { return violations };
    let missing =
        known.iter().filter(|((of, order), since)| *of == database && **since < began && !shown.contains(order));
    violations.extend(missing.map(|((_, order), _)| {
        Violation::new(PROMISE, format_args!("the walk {walk} of {database} leaves {order} out"))
    }));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    fn broken(first: &str, second: &str, is_last: bool) -> usize {
        check(&history::of(&format!(
            r#"{{"operation":1,"at_ns":10,"event":"invoke","client":"c","replica":"crm-api/0","call":"read","order":"A-1"}}
               {{"operation":1,"at_ns":20,"event":"ok","answer":{{"order":{{"id":"A-1","status":"INITIATED"}}}}}}
               {{"operation":2,"at_ns":30,"event":"invoke","client":"s","replica":"crm-api/0","call":"list","walk":"1","limit":2}}
               {{"operation":3,"at_ns":31,"event":"invoke","client":"c","replica":"shop-api/0","call":"create","key":"k"}}
               {{"operation":3,"at_ns":32,"event":"ok","answer":{{"order":{{"id":"A-2","status":"INITIATED"}}}}}}
               {{"operation":2,"at_ns":40,"event":"ok","answer":{{"page":{{"orders":[{first}],"is_last":false}}}}}}
               {{"operation":4,"at_ns":50,"event":"invoke","client":"s","replica":"crm-api/1","call":"list","walk":"1","limit":2}}
               {{"operation":4,"at_ns":60,"event":"ok","answer":{{"page":{{"orders":[{second}],"is_last":{is_last}}}}}}}"#
        )))
        .len()
    }

    #[test]
    fn an_order_that_is_new_may_be_shown_and_one_that_was_there_is() {
        assert_eq!(broken(r#""A-2""#, r#""A-1""#, true), 0);
        assert_eq!(broken(r#""A-3""#, r#""A-1""#, true), 0);
        assert_eq!(broken(r#""A-2""#, "", false), 0, "the walk was not finished");
    }

    #[test]
    fn an_order_that_is_left_out_or_shown_twice_is_found() {
        assert_eq!(broken(r#""A-2""#, "", true), 1);
        assert_eq!(broken(r#""A-2","A-1""#, r#""A-1""#, true), 1);
    }
}
