//! Kibana's objects are consistent, and their queries use fields only as the catalogue allows.

use std::collections::HashSet;

use catalogue::{
    Service,
    field::{self, Kind},
};
use elk::kibana::{AUDIT_SEARCHES, Bucket, Formula, SEARCHES, View, audit_objects, dashboards, saved_objects};
use serde_json::Value;

fn objects() -> Vec<Value> {
    parsed(&saved_objects())
}

fn parsed(file: &str) -> Vec<Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

/// A value that is stored as JSON in a string.
fn inner(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("a string")).expect("it is JSON")
}

#[track_caller]
fn kind(name: &str) -> Kind {
    field::ALL.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{name} is not in the dictionary")).kind
}

#[test]
fn panels_group_and_measure_only_fields_of_suitable_types() {
    for panel in dashboards().into_iter().flat_map(|dashboard| dashboard.panels) {
        let View::Chart { title, buckets, metrics, .. } = panel.view else { continue };
        for bucket in buckets {
            match bucket {
                Bucket::Terms { field: field::NAME, size, .. } => {
                    assert_eq!(size as usize, Service::ALL.len(), "{title}: a service has no group");
                }
                Bucket::Terms { field, .. } => assert_ne!(kind(field), Kind::Text, "{title}: {field}"),
                Bucket::Ranges { field, .. } => assert_eq!(kind(field), Kind::Long, "{title}: {field}"),
                Bucket::Time(_) => {}
            }
        }
        for metric in metrics {
            match metric.formula {
                Formula::Unique(field) => assert_ne!(kind(field), Kind::Text, "{title}: {field}"),
                Formula::Max(field) | Formula::Percentile(field, _) => {
                    assert!(matches!(kind(field), Kind::Long | Kind::Double | Kind::DateNanos), "{title}: {field}");
                }
                Formula::Count
                | Formula::PerMinute
                | Formula::Less(_)
                | Formula::ShareOf(_)
                | Formula::BudgetLeft(..) => {}
            }
        }
    }
}

#[test]
fn saved_searches_show_only_fields_of_the_dictionary() {
    for name in SEARCHES.iter().flat_map(|search| search.columns) {
        kind(name);
    }
}

#[test]
fn every_panel_has_a_unique_question_and_fits_into_the_grid() {
    let mut titles = HashSet::new();
    for panel in dashboards().into_iter().flat_map(|dashboard| dashboard.panels) {
        let title = match panel.view {
            View::List(search) => search.title,
            View::Chart { title, .. } => title,
        };
        assert!(title.ends_with('?') && title.matches('?').count() == 1, "{title}");
        assert!(titles.insert(title), "{title} is asked twice");
        assert!(panel.width <= 48);
    }
}

#[test]
fn every_reference_leads_to_an_earlier_object() {
    for (objects, count) in
        [(objects(), 1 + SEARCHES.len() + dashboards().len()), (parsed(&audit_objects()), 1 + AUDIT_SEARCHES.len())]
    {
        let mut known = HashSet::new();
        for object in objects {
            for reference in object["references"].as_array().unwrap() {
                assert!(known.contains(&(reference["type"].clone(), reference["id"].clone())), "{reference}");
            }
            known.insert((object["type"].clone(), object["id"].clone()));
        }
        assert_eq!(known.len(), count);
    }
}

#[test]
fn the_auditors_searches_show_only_fields_that_are_mapped_and_only_their_indices() {
    let template = elk::audit_template();
    let mapped = template["template"]["mappings"]["properties"].as_object().expect("fields");
    for name in AUDIT_SEARCHES.iter().flat_map(|search| search.columns) {
        assert!(mapped.contains_key(*name), "{name}");
    }
    let view = &parsed(&audit_objects())[0]["attributes"];
    assert_eq!(view["title"], template["index_patterns"][0]);
    assert!(mapped.contains_key(view["timeFieldName"].as_str().expect("a field")));
}

#[test]
fn a_panels_references_and_columns_are_complete() {
    for dashboard in objects().into_iter().filter(|object| object["type"] == "dashboard") {
        let names: HashSet<_> =
            dashboard["references"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        for panel in inner(&dashboard["attributes"]["panelsJSON"]).as_array().unwrap() {
            let index = panel["panelIndex"].as_str().unwrap();
            assert_eq!(panel["gridData"]["i"], index);
            let Some(name) = panel["panelRefName"].as_str() else {
                let attributes = &panel["embeddableConfig"]["attributes"];
                let name = attributes["references"][0]["name"].as_str().unwrap();
                assert!(names.contains(&Value::from(format!("{index}:{name}"))), "{index}");
                check_layer(attributes);
                continue;
            };
            assert!(names.contains(&Value::from(format!("{index}:{name}"))), "{index}");
        }
    }
}

/// Checks that each column is in the order once, and that only existing columns are referred to and drawn.
fn check_layer(attributes: &Value) {
    let layer = &attributes["state"]["datasourceStates"]["formBased"]["layers"]["records"];
    let columns = layer["columns"].as_object().expect("columns");
    let order: Vec<_> =
        layer["columnOrder"].as_array().expect("an order").iter().map(|id| id.as_str().expect("an id")).collect();
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), columns.len());
    for column in order.iter().map(|id| &columns[*id]) {
        assert!(column["scale"].is_string() && column["label"].is_string(), "{column}");
        let refers = column["references"].as_array().into_iter().flatten();
        assert!(refers.map(|id| id.as_str().expect("an id")).all(|id| columns.contains_key(id)), "{column}");
    }
    let drawn = attributes["state"]["visualization"].to_string();
    let hidden = |id: &str| id.contains('X');
    assert!(order.iter().filter(|id| !hidden(id)).all(|id| drawn.contains(&format!("\"{id}\""))), "{drawn}");
}
