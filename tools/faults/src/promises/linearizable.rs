//! Whether a history of one object is linearizable: whether each operation can be thought to happen at one moment between
//! its call and its end, so that every answer is right.
//!
//! The search is that of Wing and Gong with the memory of Lowe: configurations (which operations have happened, and the state
//! after them) that were tried before are not tried again. It stands here, and not in a crate: porcupine is a Go program
//! beside the workspace, and stateright's tester has no such memory and brings a web server.

use std::{collections::HashSet, fmt::Debug, hash::Hash};

use crate::history::{Operation, Outcome};

/// Configurations that are tried before the search stops.
const MOST_CONFIGURATIONS: usize = 2_000_000;

/// An object as it would be if operations came one by one.
pub(super) trait Object {
    type State: Clone + Debug + Default + Eq + Hash;

    /// The state after an operation, if it can have ended like this in this state. One whose end is unknown returns the state
    /// after it took effect.
    fn step(&self, state: &Self::State, operation: &Operation) -> Option<Self::State>;
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration<S> {
    /// One bit for each operation.
    happened: Vec<u64>,
    count: usize,
    state: S,
}

impl<S> Configuration<S> {
    fn has(&self, index: usize) -> bool {
        self.happened[index / 64] & (1 << (index % 64)) != 0
    }
}

/// Checks the operations of one object, in the sequence of their invocations.
///
/// # Errors
///
/// The history is illegal; the error names the operation that fits nowhere.
pub(super) fn check<O: Object>(object: &O, operations: &[&Operation]) -> Result<(), String> {
    let start =
        Configuration { happened: vec![0; operations.len().div_ceil(64)], count: 0, state: O::State::default() };
    let mut furthest = start.clone();
    let (mut tried, mut open) = (HashSet::from([start.clone()]), vec![start]);
    while let Some(configuration) = open.pop() {
        let left = || operations.iter().enumerate().filter(|(index, _)| !configuration.has(*index));
        // What has not happened yet can't come after the end of another one.
        let bound = left().map(|(_, operation)| operation.completed).min().unwrap_or(u64::MAX);
        if bound == u64::MAX {
            return Ok(());
        }
        if tried.len() > MOST_CONFIGURATIONS {
            return Err(format!("undecided after {MOST_CONFIGURATIONS} configurations"));
        }
        let mut unknown: Vec<&Operation> = Vec::new();
        for (index, operation) in left().take_while(|(_, operation)| operation.invoked <= bound) {
            if operation.outcome == Outcome::Unknown {
                // Of the same call twice, the earlier one can be all that the later one can.
                if unknown.iter().any(|other| (&other.client, &other.call) == (&operation.client, &operation.call)) {
                    continue;
                }
                unknown.push(operation);
            }
            if let Some(state) = object.step(&configuration.state, operation) {
                let mut happened = configuration.happened.clone();
                happened[index / 64] |= 1 << (index % 64);
                let next = Configuration { happened, count: configuration.count + 1, state };
                if tried.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        if configuration.count > furthest.count {
            furthest = configuration;
        }
    }
    let misfit = operations.iter().enumerate().filter(|(index, _)| !furthest.has(*index)).map(|(_, misfit)| misfit);
    let misfit = misfit.min_by_key(|operation| operation.completed).map(ToString::to_string).unwrap_or_default();
    Err(format!("in the state {:?} there can't be {misfit}", furthest.state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Call};

    /// A counter of calls: a `Take` adds one, a `Read` of the order `n` says that there were `n`.
    struct Counter;

    impl Object for Counter {
        type State = usize;

        fn step(&self, state: &usize, operation: &Operation) -> Option<usize> {
            match &operation.call {
                Call::Read { order } => (*order == state.to_string()).then_some(*state),
                _ => Some(state + 1),
            }
        }
    }

    fn add(invoked: u64, completed: u64) -> Operation {
        operation(Call::Take { order: String::new() }, invoked, completed)
    }

    fn read(count: usize, invoked: u64, completed: u64) -> Operation {
        operation(Call::Read { order: count.to_string() }, invoked, completed)
    }

    fn operation(call: Call, invoked: u64, completed: u64) -> Operation {
        let outcome = if completed == u64::MAX { Outcome::Unknown } else { Outcome::Ok(Answer::Other) };
        Operation { number: 0, client: "ada".into(), replica: "mes-api/0".into(), call, invoked, completed, outcome }
    }

    fn is_legal(mut operations: Vec<Operation>) -> bool {
        operations.sort_by_key(|operation| operation.invoked);
        check(&Counter, &operations.iter().collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn operations_one_by_one_have_one_right_answer() {
        assert!(is_legal(vec![add(0, 1), read(1, 2, 3), add(4, 5), read(2, 6, 7)]));
        assert!(!is_legal(vec![add(0, 1), read(0, 2, 3)]));
        assert!(!is_legal(vec![add(0, 1), add(2, 3), read(1, 4, 5)]));
    }

    #[test]
    fn operations_at_the_same_time_may_come_in_any_sequence() {
        assert!(is_legal(vec![add(0, 10), read(0, 1, 2), read(1, 3, 4)]));
        assert!(!is_legal(vec![add(0, 10), read(1, 1, 2), read(0, 3, 4)]), "a read goes back");
    }

    #[test]
    fn what_is_unknown_may_happen_late_or_never_but_not_twice() {
        let unknown = || add(0, u64::MAX);
        assert!(is_legal(vec![unknown(), read(0, 1, 2), read(0, 3, 4)]));
        assert!(is_legal(vec![unknown(), read(0, 1, 2), read(1, 3, 4)]));
        assert!(is_legal(vec![unknown(), unknown(), read(2, 3, 4)]));
        assert!(!is_legal(vec![unknown(), read(1, 1, 2), read(2, 3, 4)]));
        assert!(!is_legal(vec![unknown(), read(1, 1, 2), read(0, 3, 4)]));
    }

    #[test]
    fn many_that_are_unknown_are_decided_soon() {
        let mut operations: Vec<_> = (0..40).map(|at| add(at, u64::MAX)).collect();
        operations.extend((0..40).map(|at| read(usize::try_from(at).unwrap() / 2, 100 + 2 * at, 101 + 2 * at)));
        assert!(is_legal(operations.clone()));
        operations.push(read(0, 300, 301));
        assert!(!is_legal(operations));
    }
}
