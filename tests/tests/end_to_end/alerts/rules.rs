//! What every rule has to have, as ElastAlert itself reads the files.

use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::LazyLock};

use catalogue::{Action, field};
use local::incident::Incident;
use serde_json::{Map, Value};

use super::python;

/// Prints all rules as JSON, with what they import.
const PRINT: &str = "
import json, types
from elastalert.config import load_conf
flags = dict(verbose=False, debug=False, es_debug=False, es_debug_trace=None)
conf = load_conf(types.SimpleNamespace(config='config.yaml', **flags))
loader = conf['rules_loader']
print(json.dumps([loader.load_yaml(path) for path in loader.get_names(conf)]))
";
/// What ElastAlert, our own types of rules or a rule itself add to a record, or say in the place of one.
const ADDED: [&str; 14] = [
    "service",
    "spike_count",
    "reference_count",
    "metric_agg_value",
    "count",
    "sources",
    "largest",
    "usual",
    "objective_name",
    "burn_rate",
    "burn_rate_now",
    "budget_left",
    "node",
    "free_percent",
];
/// The types that send sums instead of a record.
const OF_SUMS: [&str; 6] =
    ["spike", "metric_aggregation", "windows.Flood", "windows.Rise", "windows.Burn", "disk.Filling"];
/// What Elasticsearch itself knows of a document.
const METADATA: [&str; 2] = ["_index", "_ignored"];
/// What says who people are, or what they or an error said.
const PERSONAL: [&str; 8] = [
    field::CUSTOMER_ID,
    field::PARTNER_ID,
    field::OPERATOR_ID,
    field::USER_ID,
    field::USER_HASH,
    field::SOURCE_IP,
    field::ERROR_MESSAGE,
    field::MESSAGE,
];

type Rule = Map<String, Value>;

/// All rules, read once.
fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(read);
    &RULES
}

fn read() -> Vec<Rule> {
    let mut python = Command::new(python::programs().join("python"));
    python.args(["-c", PRINT]).current_dir(python::alerts());
    python.envs([("ES_HOST", "127.0.0.1"), ("ES_PORT", "9200"), python::CACHE]);
    let output = python.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rules: Vec<Rule> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(rules.len() > 10, "{rules:#?}");
    rules
}

fn text<'a>(rule: &'a Rule, key: &str) -> &'a str {
    rule.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'a>(rule: &'a Rule, key: &str) -> impl Iterator<Item = &'a str> {
    rule.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Every field that a filter asks for, with the values that it asks for.
fn asked(filter: &Value, found: &mut Vec<(String, Vec<Value>)>) {
    match filter {
        Value::Array(parts) => parts.iter().for_each(|part| asked(part, found)),
        Value::Object(parts) => {
            for (kind, part) in parts {
                match (kind.as_str(), part) {
                    ("term" | "terms", Value::Object(fields)) => {
                        let values = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                        found.extend(fields.iter().map(|(field, value)| (field.clone(), values(value))));
                    }
                    ("range" | "prefix", Value::Object(fields)) => {
                        found.extend(fields.keys().map(|field| (field.clone(), Vec::new())));
                    }
                    ("exists", Value::Object(fields)) => {
                        found.extend(
                            fields.values().filter_map(Value::as_str).map(|field| (field.to_owned(), Vec::new())),
                        );
                    }
                    ("query", Value::String(query)) => found.extend(asked_in_lucene(query)),
                    _ => asked(part, found),
                }
            }
        }
        _ => {}
    }
}

/// Every field that a query in Lucene's syntax asks for, with the value that is asked for as a phrase.
fn asked_in_lucene(query: &str) -> impl Iterator<Item = (String, Vec<Value>)> {
    let field = |character: char| character.is_ascii_alphanumeric() || "._@".contains(character);
    query.match_indices(':').filter_map(move |(colon, _)| {
        let name = query[..colon].rsplit(|character| !field(character)).next()?;
        let phrase = query[colon + 1..].strip_prefix('"').and_then(|rest| rest.split('"').next());
        (!name.is_empty()).then(|| (name.to_owned(), phrase.map(Value::from).into_iter().collect()))
    })
}

#[test]
fn every_rule_says_what_it_means_when_it_fires_and_what_to_do() {
    for rule in rules() {
        for key in ["name", "alert_subject", "meaning", "limit", "what_to_do", "runbook", "dashboard"] {
            assert!(!text(rule, key).is_empty(), "{} has no {key}", text(rule, "name"));
        }
        let name = text(rule, "name");
        assert!(text(rule, "rule_file").ends_with(&format!("/{name}.yaml")) || name.is_empty(), "{rule:#?}");
        assert!(rule.contains_key("realert"), "{name} sends a mail at every look");
    }
}

#[test]
fn every_rule_gives_its_reason_at_its_head() {
    for file in fs::read_dir(python::alerts().join("rules")).expect("rules").flatten() {
        let path = file.path();
        if path.extension().is_some_and(|end| end == "yaml" || end == "part") {
            let content = fs::read_to_string(&path).expect("a rule");
            assert!(content.starts_with("# ") || content.contains("\nimport: "), "{}", path.display());
        }
    }
}

#[test]
fn every_rule_looks_at_records_alone_and_only_at_what_the_dictionary_has() {
    for rule in rules() {
        let name = text(rule, "name");
        assert_eq!(text(rule, "index"), elk::INDEX_PATTERN, "{name}");
        let mut fields = Vec::new();
        asked(&rule["filter"], &mut fields);
        asked(rule.get("counted").unwrap_or(&Value::Null), &mut fields);
        assert!(!fields.is_empty(), "{name} asks for nothing");
        for (_, actions) in fields.iter().filter(|(field, _)| field == field::EVENT_ACTION) {
            for action in actions {
                assert!(Action::ALL.into_iter().any(|known| action == known.name()), "{name} asks for {action}");
            }
        }
        let others = ["include", "facts", "top_count_keys"].into_iter().flat_map(|key| texts(rule, key));
        let others = others
            .chain(["field", "metric_agg_key"].map(|key| text(rule, key)).into_iter().filter(|key| !key.is_empty()));
        for asked in fields.iter().map(|(field, _)| field.as_str()).chain(others) {
            let known = field::ALL.iter().any(|field| field.name == asked)
                || ADDED.contains(&asked)
                || METADATA.contains(&asked);
            assert!(known, "{name} names {asked}");
        }
    }
}

#[test]
fn no_rule_reads_who_people_are() {
    for rule in rules() {
        let of_sums = OF_SUMS.contains(&text(rule, "type"));
        assert_eq!(texts(rule, "include").count() == 0, of_sums, "{}", text(rule, "name"));
        for key in ["include", "facts", "top_count_keys"] {
            assert!(texts(rule, key).all(|field| !PERSONAL.contains(&field)), "{}: {key}", text(rule, "name"));
        }
    }
}

#[test]
fn every_rule_and_every_incident_has_its_section_in_the_runbook_and_every_rule_its_dashboard() {
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbook.md");
    let runbook = fs::read_to_string(runbook).expect("the runbook");
    let sections: BTreeSet<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules = rules();
    let dashboards = elk::kibana::dashboards();
    for rule in rules {
        assert!(sections.contains(text(rule, "runbook")), "{} has no section {}", text(rule, "name"), rule["runbook"]);
        let leads = dashboards.iter().any(|dashboard| dashboard.id == text(rule, "dashboard"));
        assert!(leads, "there is no dashboard {}", rule["dashboard"]);
    }
    for incident in Incident::ALL {
        assert!(sections.contains(incident.name()), "{} has no section", incident.name());
        assert!(sections.contains(incident.signs().runbook), "{} has no section", incident.signs().runbook);
        let dashboard = incident.signs().dashboard;
        assert!(dashboards.iter().any(|found| found.title == dashboard), "there is no dashboard {dashboard}");
        for alert in incident.signs().alerts {
            assert!(rules.iter().any(|rule| text(rule, "name") == *alert), "there is no rule {alert}");
        }
    }
}
