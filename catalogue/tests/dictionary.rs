//! The catalogue is consistent, and `docs/dictionary.md` is generated from it.

use std::{collections::HashSet, env, fs, path::Path};

use catalogue::{Action, ErrorType, Metric, Service, action::Requirement, field, metric};

#[test]
fn names_are_unique_and_lead_back_to_their_variants() {
    fn assert_unique<'a>(names: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for name in names {
            assert!(seen.insert(name), "{name} is there twice");
        }
    }
    assert_unique(field::ALL.iter().map(|field| field.name));
    assert_unique(Action::ALL.into_iter().map(Action::name));
    assert_unique(ErrorType::ALL.into_iter().map(ErrorType::name));
    assert_unique(metric::ALL.iter().map(|metric| metric.name));
    assert!(Action::ALL.into_iter().all(|action| Action::from_name(action.name()) == Some(action)));
    assert!(ErrorType::ALL.into_iter().all(|error| ErrorType::from_name(error.name()) == Some(error)));
    assert!(Service::ALL.into_iter().all(|service| Service::from_name(service.name()) == Some(service)));
    assert_eq!(
        (Action::from_name(""), ErrorType::from_name("Timeout"), Service::from_name("shop")),
        (None, None, None)
    );
}

#[test]
fn actions_require_only_fields_of_the_dictionary() {
    for action in Action::ALL {
        for requirement in action.requirements() {
            let names = match requirement {
                Requirement::Field(name) | Requirement::FieldWhenEnded(name) => &[name],
                Requirement::OneOf(names) | Requirement::OneOfFrom(names, _) => names,
                Requirement::Class(..) => &[field::EVENT_CATEGORY, field::EVENT_TYPE][..],
            };
            for name in names {
                assert!(field::ALL.iter().any(|field| field.name == *name), "{action} requires {name}");
            }
        }
    }
}

#[test]
fn metrics_have_the_names_of_the_contract() {
    let names: HashSet<_> = metric::ALL.iter().map(Metric::prometheus_name).collect();
    for name in [
        "http_server_request_duration_seconds",
        "alexandrite_order_status_changes_total",
        "alexandrite_orders",
        "alexandrite_orders_oldest_age_seconds",
        "alexandrite_price_calculations_total",
        "alexandrite_login_failures_total",
        "alexandrite_outbox_messages",
        "alexandrite_journal_records",
        "alexandrite_dead_letters",
    ] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn no_metric_has_an_id_a_login_or_an_address_as_a_label() {
    for metric in metric::ALL {
        for label in metric.labels {
            let name = label.name;
            assert!(!name.ends_with(".id") && !name.starts_with("user.") && !name.starts_with("source."), "{name}");
        }
        assert!(metric.most_series() <= 500, "{}: {}", metric.name, metric.most_series());
    }
}

#[test]
fn the_dictionary_page_is_generated_from_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dictionary.md");
    let expected = catalogue::dictionary::markdown();
    if env::var_os("UPDATE_DICTIONARY").is_some() {
        fs::write(&path, &expected).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == expected, "docs/dictionary.md is not up to date: UPDATE_DICTIONARY=1 cargo test -p catalogue");
}
