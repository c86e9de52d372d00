//! Every row of the record catalogue, seen in Elasticsearch with all that it promises.

use std::{collections::BTreeSet, path::PathBuf};

use catalogue::{Action, Service, action::Level, field, record::violations};

use crate::{
    dead_letters,
    scenario::{broken_broker, broken_database, broken_store, ordinary},
    shipping::shipped,
    support::log::{level, text},
};

#[tokio::test]
async fn on_an_ordinary_day_orders_logins_and_standing_orders_are_recorded() {
    ordinary::logs().await;
}

#[tokio::test]
async fn a_broken_database_is_one_error_for_each_failure_and_afterwards_everything_goes_on() {
    broken_database::logs().await;
}

#[tokio::test]
async fn a_broken_model_store_and_bad_models_are_one_error_for_each_failure() {
    broken_store::logs().await;
}

#[tokio::test]
async fn a_broken_broker_stops_no_customer_and_poison_becomes_dead_letters() {
    broken_broker::logs().await;
}

/// What has to be seen: each action from each service at each of its levels, and its failure where it can fail. Support's
/// page has tests of its own.
fn rows() -> BTreeSet<(&'static str, &'static str, u64)> {
    let mut rows = BTreeSet::new();
    for action in Action::ALL {
        for service in action.written_by().iter().filter(|service| Service::APIS.contains(service)) {
            let levels = action.levels().iter().copied();
            // That these fail would be another action's failure (a look for late orders is `order.stuck`'s), and a heart
            // that fails to beat says nothing.
            let reports = matches!(
                action,
                Action::MessageRetried
                    | Action::MessageReplayed
                    | Action::LoginFailedRepeatedly
                    | Action::SourceFailedRepeatedly
                    | Action::LoginSucceeded
                    | Action::Throttled
                    | Action::AccessDenied
                    | Action::SessionExpired
                    | Action::KeyFirstUsed
                    | Action::KeyRefused
                    | Action::OrdersProbed
                    | Action::AccountDisabled
                    | Action::AccountEnabled
                    | Action::AccountRoleChanged
                    | Action::AccountKeyCreated
                    | Action::AccountKeyWithdrawn
                    | Action::ServiceHeartbeat
                    | Action::OrderOverdue
                    | Action::OrderAbandoned
            );
            // Elsewhere, a command registers accounts, which says itself that it has failed.
            let by_command = action == Action::AccountRegistered && *service != Service::ShopApi;
            let failure = (!reports && !by_command).then_some(Level::Error);
            rows.extend(levels.chain(failure).map(|level| (action.name(), service.name(), level.number())));
        }
    }
    // The warning says that a service does without the broker for a while, which the shop always does.
    rows.remove(&(Action::ServiceLifecycle.name(), Service::ShopApi.name(), Level::Warn.number()));
    rows
}

#[tokio::test]
async fn every_row_of_the_catalogue_is_seen_with_all_its_fields() {
    let days = [ordinary::logs().await, broken_database::logs().await, broken_store::logs().await];
    let more = [broken_broker::logs().await, dead_letters::logs().await];
    let logs: Vec<&PathBuf> = days.into_iter().chain(more).flatten().collect();
    let mut seen = BTreeSet::new();
    for log in logs {
        for document in shipped(log).await {
            let record = &document.record;
            assert_eq!(violations(record), [""; 0], "{record:?}");
            let action = Action::ALL.into_iter().find(|action| action.name() == text(record, field::EVENT_ACTION));
            let service = Service::ALL.into_iter().find(|service| service.name() == text(record, field::NAME));
            let (Some(action), Some(service)) = (action, service) else { panic!("{record:?}") };
            seen.insert((action.name(), service.name(), level(record)));
        }
    }
    let rows = rows();
    let unseen: Vec<_> = rows.difference(&seen).collect();
    assert!(unseen.is_empty(), "never seen: {unseen:#?}");
    let unknown: Vec<_> = seen.difference(&rows).collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:#?}");
}
