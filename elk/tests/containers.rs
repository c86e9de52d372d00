//! The configurations of Filebeat, Logstash, APM Server and Kibana agree with the code and with rsyslog's
//! configuration.

use std::collections::BTreeSet;

use catalogue::{Service, field};
use elk::kibana;
use serde_json::{Value, json};

const RECORDS: &str = include_str!("../logstash/pipeline/records.conf");
const DEAD_LETTERS: &str = include_str!("../logstash/pipeline/dead-letters.conf");

#[track_caller]
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("it is YAML")
}

/// The quoted strings between `start` and `end`.
fn quoted<'a>(text: &'a str, start: &str, end: &str) -> BTreeSet<&'a str> {
    let (_, rest) = text.split_once(start).expect("the list is there");
    let (list, _) = rest.split_once(end).expect("the list ends");
    list.split('"').skip(1).step_by(2).collect()
}

#[test]
fn logstash_accepts_index_names_from_exactly_the_services() {
    let listed = quoted(RECORDS, "[@metadata][record][name] in [", "]");
    assert_eq!(listed, Service::ALL.into_iter().map(Service::name).collect());
}

#[test]
fn rsyslog_and_logstash_accept_the_same_times_and_event_ids() {
    for (name, in_logstash) in [("time", "[time]"), (field::EVENT_ID, "[event.id]")] {
        let of_rsyslog = elk::SHIPPER_CONFIGURATION.split_once(&format!("re_match($.record!{name}, '")).unwrap().1;
        let of_rsyslog = of_rsyslog.split_once('\'').unwrap().0;
        assert!(RECORDS.contains(&format!("{in_logstash} =~ /{of_rsyslog}/")), "{of_rsyslog}");
    }
}

#[test]
fn rsyslog_and_logstash_add_the_same_fields_to_a_line_that_is_no_record() {
    for name in [field::EVENT_ORIGINAL, field::LOG_FILE_PATH, field::ERROR_MESSAGE] {
        assert!(elk::SHIPPER_CONFIGURATION.contains(&format!("outname=\"{name}\"")), "rsyslog and {name}");
        assert!(DEAD_LETTERS.contains(&format!("\"[{name}]\"")), "Logstash and {name}");
    }
    assert!(DEAD_LETTERS.contains(&format!("\"[{}]\"", field::CONTAINER_ID)));
}

#[test]
fn logstash_only_creates_documents_and_uses_the_lines_id() {
    for pipeline in [RECORDS, DEAD_LETTERS] {
        let (_, output) = pipeline.split_once("\noutput {").unwrap();
        for setting in [
            "action => \"create\"",
            "document_id => \"%{[@metadata][id]}\"",
            "data_stream => \"false\"",
            "manage_template => false",
            "ilm_enabled => false",
            "user => \"logstash\"",
        ] {
            assert_eq!(output.matches(setting).count(), output.matches("elasticsearch {").count(), "{setting}");
        }
    }
    assert!(DEAD_LETTERS.contains("index => \"alexandrite-unknown-%{+YYYY.MM.dd}\""));
}

#[test]
fn rejected_documents_are_read_by_the_dead_letter_pipeline() {
    let pipelines = yaml(include_str!("../logstash/pipelines.yml"));
    let [records, dead_letters] = pipelines.as_array().unwrap().as_slice() else { panic!("{pipelines}") };
    assert_eq!(records["dead_letter_queue.enable"], true);
    assert_eq!(dead_letters["dead_letter_queue.enable"], Value::Null, "it would read its own failures forever");
    assert!(DEAD_LETTERS.contains(&format!("pipeline_id => {}", records["pipeline.id"])));
    assert!(records["path.config"].as_str().unwrap().ends_with("/pipeline/records.conf"));
    assert!(dead_letters["path.config"].as_str().unwrap().ends_with("/pipeline/dead-letters.conf"));
    assert_eq!(yaml(include_str!("../logstash/logstash.yml"))["queue.type"], "persisted");
}

#[test]
fn filebeat_derives_a_lines_id_from_values_that_never_change() {
    let filebeat = yaml(include_str!("../filebeat/filebeat.yml"));
    let input = &filebeat["filebeat.inputs"][0];
    assert_eq!((&input["type"], &input["file_identity.fingerprint"]), (&json!("filestream"), &Value::Null));
    assert!(input["id"].is_string() && input["prospector.scanner"]["fingerprint"]["enabled"] == true, "{input}");
    let processors = filebeat["processors"].as_array().unwrap();
    let fingerprint = &processors.last().unwrap()["fingerprint"];
    assert_eq!(fingerprint["fields"], json!(["@timestamp", "container.id", "log.offset", "message"]));
    assert_eq!(fingerprint["target_field"], "@metadata._id");
    assert!(RECORDS.contains("\"[@metadata][_id]\" => \"[@metadata][id]\""));
}

#[test]
fn filebeat_reads_only_containers_with_the_label_of_a_service() {
    let filebeat = yaml(include_str!("../filebeat/filebeat.yml"));
    let processors = filebeat["processors"].as_array().unwrap();
    let dropped = processors.iter().find_map(|processor| processor.get("drop_event")).unwrap();
    assert_eq!(dropped["when"]["and"][1]["not"]["equals"], json!({"container.labels.alexandrite_logs": "true"}));
    let services = yaml(include_str!("../../deploy/containers/common.yml"));
    for service in Service::ALL.map(Service::name) {
        let labels = &services["services"][service]["labels"];
        assert_eq!(labels["alexandrite.logs"], "true", "{service}: {labels}");
    }
}

#[test]
fn each_container_has_the_environment_variables_of_its_configuration() {
    let compose = yaml(include_str!("../../docker-compose.yml"));
    for (service, configurations) in [
        ("apm-server", [include_str!("../apm-server/apm-server.yml"), ""]),
        ("filebeat", [include_str!("../filebeat/filebeat.yml"), ""]),
        ("kibana", [include_str!("../kibana/kibana.yml"), ""]),
        ("logstash", [RECORDS, DEAD_LETTERS]),
    ] {
        let environment = &compose["services"][service]["environment"];
        for rest in configurations.iter().flat_map(|text| text.split("${").skip(1)) {
            let (name, _) = rest.split_once('}').unwrap();
            assert!(environment[name].is_string(), "{service} has no {name}");
        }
    }
}

#[test]
fn every_machine_account_has_the_role_of_its_name() {
    let apm_server = yaml(include_str!("../apm-server/apm-server.yml"));
    for user in [apm_server["output.elasticsearch"]["username"].as_str().unwrap(), "logstash", "elastalert", "shipper"]
    {
        assert!(elk::ROLES.iter().any(|(role, _)| *role == user), "{user}");
    }
}

#[test]
fn kibana_links_traces_to_the_records_and_opens_with_their_data_view() {
    let kibana = yaml(include_str!("../kibana/kibana.yml"));
    let settings = &kibana["uiSettings.overrides"];
    assert_eq!(settings["observability:logSources"], json!([elk::INDEX_PATTERN]));
    let first = kibana::saved_objects().lines().next().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(first.unwrap()["id"], settings["defaultIndex"]);
}
