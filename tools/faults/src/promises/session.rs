//! A session that was ended is ended at once, at every replica, and before that it is not.

use std::collections::BTreeMap;

use super::{
    linearizable::{self, Object},
    violation::Violation,
};
use crate::history::{Call, Operation, Outcome};

const PROMISE: &str = "a session that was ended is ended at every replica";

pub(super) fn check(history: &[Operation]) -> Vec<Violation> {
    let mut sessions: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        if let Call::UseSession { session } | Call::EndSession { session } = &operation.call {
            sessions.entry(session).or_default().push(operation);
        }
    }
    let illegal = sessions.into_iter().filter_map(|(session, operations)| {
        let error = linearizable::check(&Session, &operations).err()?;
        Some(Violation::new(PROMISE, format_args!("{session}: {error}")))
    });
    illegal.collect()
}

/// Whether the session was ended.
struct Session;

impl Object for Session {
    type State = bool;

    fn step(&self, is_ended: &bool, operation: &Operation) -> Option<bool> {
        let ends = matches!(operation.call, Call::EndSession { .. });
        match (&operation.outcome, operation.refusal()) {
            (_, Some("unauthenticated")) => is_ended.then_some(true),
            // It was refused for another reason, such as too many requests.
            (Outcome::Fail(_), _) => Some(*is_ended),
            _ => (!is_ended).then_some(ends),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history;

    fn broken(before: &str, end: &str, after: &str) -> usize {
        let ok = |name: &str| match name {
            "ok" => r#""ok","answer":"other""#.to_owned(),
            "unknown" => r#""unknown","reason":"reset""#.to_owned(),
            code => format!(r#""fail","answer":{{"problem":{{"code":"{code}","detail":""}}}}"#),
        };
        check(&history::of(&format!(
            r#"{{"operation":1,"at_ns":10,"event":"invoke","client":"c","replica":"shop-api/0","call":"use_session","session":"1"}}
               {{"operation":1,"at_ns":20,"event":{}}}
               {{"operation":2,"at_ns":30,"event":"invoke","client":"c","replica":"shop-api/0","call":"end_session","session":"1"}}
               {{"operation":2,"at_ns":40,"event":{}}}
               {{"operation":3,"at_ns":50,"event":"invoke","client":"c","replica":"shop-api/1","call":"use_session","session":"1"}}
               {{"operation":3,"at_ns":60,"event":{}}}"#,
            ok(before),
            ok(end),
            ok(after),
        )))
        .len()
    }

    #[test]
    fn a_session_serves_until_it_is_ended() {
        assert_eq!(broken("ok", "ok", "unauthenticated"), 0);
        assert_eq!(broken("ok", "unknown", "ok"), 0);
        assert_eq!(broken("ok", "unknown", "unauthenticated"), 0);
        assert_eq!(broken("ok", "too_many_requests", "ok"), 0);
    }

    #[test]
    fn one_that_serves_afterwards_or_ends_by_itself_is_found() {
        assert_eq!(broken("ok", "ok", "ok"), 1);
        assert_eq!(broken("unauthenticated", "ok", "unauthenticated"), 1);
    }
}
