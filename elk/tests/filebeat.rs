//! Which lines of Docker's files get to Logstash's gate: Filebeat's configuration, applied to lines of our containers and
//! of foreign ones.
//!
//! What Filebeat does with a line is done here after its documentation and its source (`libbeat/reader/readjson`,
//! `libbeat/conditions`), for exactly the settings that the configuration has; any other setting fails the test.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const RECORDS: &str = include_str!("../logstash/pipeline/records.conf");
const FOLDER: &str = "/var/lib/docker/containers";

fn filebeat() -> Value {
    serde_saphyr::from_str(include_str!("../filebeat/filebeat.yml")).expect("it is YAML")
}

/// The labels that Docker writes into the lines of a service of a compose file: those that it has and that its logging
/// names.
fn attributes(service: &Value) -> Map<String, Value> {
    let named = service["logging"]["options"]["labels"].as_str().unwrap_or_default();
    let labels = service["labels"].as_object().cloned().unwrap_or_default();
    labels.into_iter().filter(|(label, _)| named.split(',').any(|name| name == label)).collect()
}

/// A line as json-file writes it.
fn docker_line(text: &str, stream: &str, attributes: &Map<String, Value>) -> String {
    let mut line = json!({"log": format!("{text}\n"), "stream": stream, "time": "2026-11-26T08:00:00.123456789Z"});
    if !attributes.is_empty() {
        line["attrs"] = json!(attributes);
    }
    line.to_string()
}

/// The event that Filebeat sends for a line of a container's file, if it sends one.
fn sent(container: &str, offset: u64, line: &str) -> Option<Value> {
    let filebeat = filebeat();
    let mut inputs = filebeat["filebeat.inputs"].as_array().expect("inputs").iter();
    let input = inputs.find(|input| input["id"] == "containers").expect("an input for the containers");
    assert_eq!(input["paths"], json!([format!("{FOLDER}/*/*-json.log*")]));
    assert_eq!(input["parsers"], json!([{"container": {"stream": "stdout", "format": "docker"}}]));
    assert!(filebeat["processors"].is_null(), "they would also apply to other inputs");
    let line: Value = serde_json::from_str(line).expect("Docker writes JSON");
    if line["stream"] != "stdout" {
        return None;
    }
    let mut event = json!({
        "@timestamp": line["time"],
        "message": line["log"].as_str().expect("a text").trim_end_matches('\n'),
        "log": {"file": {"path": format!("{FOLDER}/{container}/{container}-json.log")}, "offset": offset},
    });
    // Without labels there is no such field at all.
    if let Some(attributes) = line.get("attrs") {
        event["docker"] = json!({"attrs": attributes});
    }
    for processor in input["processors"].as_array().expect("processors") {
        let (name, settings) = processor.as_object().expect("a map").iter().next().expect("one processor");
        match name.as_str() {
            "drop_event" if holds(&settings["when"], &event) => return None,
            "drop_event" => {}
            "dissect" => dissect(settings, &mut event),
            "fingerprint" => fingerprint(settings, &mut event),
            _ => panic!("this test doesn't know {name}"),
        }
    }
    Some(event)
}

/// A condition of Filebeat.
fn holds(condition: &Value, event: &Value) -> bool {
    let (kind, part) = condition.as_object().expect("a map").iter().next().expect("one condition");
    match kind.as_str() {
        "not" => !holds(part, event),
        "has_fields" => part
            .as_array()
            .expect("a list")
            .iter()
            .all(|name| field(event, name.as_str().expect("it is there")).is_some()),
        _ => panic!("this test doesn't know {kind}"),
    }
}

fn field<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    event.pointer(&format!("/{}", name.replace('.', "/")))
}

fn dissect(settings: &Value, event: &mut Value) {
    assert_eq!(settings["tokenizer"], format!("{FOLDER}/%{{id}}/%{{}}"));
    let path = field(event, settings["field"].as_str().expect("it is there"))
        .and_then(Value::as_str)
        .expect("a path")
        .to_owned();
    let id = path.strip_prefix(FOLDER).expect("it is there").split('/').nth(1).expect("it is there");
    event[settings["target_prefix"].as_str().expect("it is there")] = json!({"id": id});
}

/// Not the hash itself: only what goes into it.
fn fingerprint(settings: &Value, event: &mut Value) {
    let fields = settings["fields"].as_array().expect("a list").iter().map(|name| name.as_str().expect("it is there"));
    let values: BTreeMap<&str, Option<Value>> = fields.map(|name| (name, field(event, name).cloned())).collect();
    assert!(values.values().all(Option::is_some), "{values:?}");
    assert_eq!(settings["target_field"], "@metadata._id");
    event["@metadata"] = json!({"_id": json!(values).to_string()});
}

/// Whether Logstash goes on with it.
fn accepted(event: &Value) -> bool {
    let drop = "if [docker] and [docker][attrs][alexandrite.logs] != \"true\" {\n    drop {}";
    assert!(RECORDS.contains(drop), "{RECORDS}");
    event.get("docker").is_none_or(|docker| docker["attrs"]["alexandrite.logs"] == "true")
}

#[test]
fn lines_of_the_services_containers_are_sent_and_accepted() {
    let compose: Value =
        serde_saphyr::from_str(include_str!("../../deploy/containers/common.yml")).expect("it is YAML");
    for service in catalogue::Service::ALL.map(catalogue::Service::name) {
        let attributes = attributes(&compose["services"][service]);
        let event = sent("0a1b", 320, &docker_line("{}", "stdout", &attributes)).expect("it is sent");
        assert_eq!(event["container"]["id"], "0a1b");
        assert_eq!(event["message"], "{}");
        assert!(accepted(&event), "{service}");
    }
}

#[test]
fn lines_of_foreign_containers_get_to_no_index() {
    let foreign = [
        // A container of this host that has no labels in its lines, running or not.
        json!({}),
        // One that has other labels there, for another shipper.
        json!({"labels": {"stage": "prod"}, "logging": {"options": {"labels": "stage"}}}),
        // One that has our label, but says no to it, or doesn't have it in its lines.
        json!({"labels": {"alexandrite.logs": "false"}, "logging": {"options": {"labels": "alexandrite.logs"}}}),
        json!({"labels": {"alexandrite.logs": "true"}}),
    ];
    for service in foreign {
        let line = docker_line(r#"{"name":"shop-api","time":"2026-11-26T08:00:00Z"}"#, "stdout", &attributes(&service));
        let arrives = sent("0a1b", 0, &line).is_some_and(|event| accepted(&event));
        assert!(!arrives, "{service}: {line}");
    }
}

#[test]
fn no_other_service_of_the_compose_files_says_that_it_is_one_of_ours() {
    for text in [
        include_str!("../../docker-compose.yml"),
        include_str!("../../docker-compose.small.yml"),
        include_str!("../../deploy/containers/common.yml"),
    ] {
        let compose: Value = serde_saphyr::from_str(text).expect("it is YAML");
        for (name, service) in compose["services"].as_object().expect("services") {
            let says = attributes(service).contains_key("alexandrite.logs");
            let is_one = service["labels"]["alexandrite.logs"] == "true";
            assert_eq!(says, is_one, "{name} has the label without saying it, or the reverse");
        }
    }
}

#[test]
fn what_a_service_writes_to_standard_error_is_not_sent() {
    let attributes = json!({"alexandrite.logs": "true"}).as_object().cloned().unwrap_or_default();
    assert!(sent("0a1b", 0, &docker_line("a backtrace", "stderr", &attributes)).is_none());
}

#[test]
fn the_same_text_at_two_places_has_two_ids_and_one_place_always_the_same() {
    let attributes = json!({"alexandrite.logs": "true"}).as_object().cloned().unwrap_or_default();
    let id = |offset| {
        sent("0a1b", offset, &docker_line("{}", "stdout", &attributes)).expect("it is sent")["@metadata"].clone()
    };
    assert_eq!(id(0), id(0));
    assert_ne!(id(0), id(100));
}
