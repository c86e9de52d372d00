//! The configurations of Filebeat, Logstash, APM Server and Kibana agree with the code and with rsyslog's
//! configuration.

use std::collections::BTreeSet;

use catalogue::{Service, field};
use elk::kibana;
use serde_json::{Value, json};

const RECORDS: &str = include_str!("../logstash/pipeline/records.conf");
const DEAD_LETTERS: &str = include_str!("../logstash/pipeline/dead-letters.conf");
const GATE: &str = include_str!("../logstash/pipeline/gate.rb");

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
fn rsyslog_and_logstash_accept_the_same_event_ids() {
    let (_, of_rsyslog) =
        elk::SHIPPER_CONFIGURATION.split_once(&format!("re_match($.record!{}, '^", field::EVENT_ID)).unwrap();
    let (of_rsyslog, _) = of_rsyslog.split_once("$'").unwrap();
    // In Ruby, ^ and $ are the ends of a line: an id of many lines would be too long for Elasticsearch.
    assert!(RECORDS.contains(&format!("[event.id] =~ /\\A{of_rsyslog}\\z/")), "{of_rsyslog}");
}

#[test]
fn logstash_decides_by_whole_texts() {
    for text in [RECORDS, DEAD_LETTERS, GATE] {
        let patterns = text.lines().filter(|line| line.contains("=~ /") || line.contains("= /"));
        assert!(patterns.clone().all(|line| line.contains("\\A") && line.contains("\\z")), "{text}");
    }
    let (_, read_by_gate) = RECORDS.split_once("ruby { path => \"").expect("there is a gate");
    assert!(read_by_gate.starts_with("/usr/share/logstash/pipeline/gate.rb\""));
    let (before, _) = RECORDS.split_once("json {").expect("the line is parsed");
    assert!(before.contains("ruby { path"), "the gate comes first");
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
    let day = "index => \"alexandrite-%{[@metadata][system]}-%{+YYYY.MM.dd}\"";
    assert!(RECORDS.contains(day) && DEAD_LETTERS.contains(day));
    assert!(DEAD_LETTERS.contains("if [@metadata][system] != \"audit\" {"), "Support would read who has searched");
}

#[test]
fn rejected_documents_are_read_until_they_are_taken() {
    let pipelines = yaml(include_str!("../logstash/pipelines.yml"));
    let [records, dead_letters] = pipelines.as_array().unwrap().as_slice() else { panic!("{pipelines}") };
    for pipeline in [records, dead_letters] {
        assert_eq!(pipeline["dead_letter_queue.enable"], true, "{pipeline}");
        assert!(DEAD_LETTERS.contains(&format!("pipeline_id => {}", pipeline["pipeline.id"])), "{pipeline}");
    }
    // Logstash keeps no event that says that it is a dead letter already.
    let (_, last) = DEAD_LETTERS.split_once("gsub =>").unwrap();
    assert!(last.contains("remove_field => [\"[@metadata][dead_letter_queue]\"]"), "{last}");
    assert!(records["path.config"].as_str().unwrap().ends_with("/pipeline/records.conf"));
    assert!(dead_letters["path.config"].as_str().unwrap().ends_with("/pipeline/dead-letters.conf"));
    assert_eq!(yaml(include_str!("../logstash/logstash.yml"))["queue.type"], "persisted");
}

#[test]
fn the_lines_in_hand_fit_into_logstashs_heap() {
    let logstash = yaml(include_str!("../logstash/logstash.yml"));
    let filebeat = yaml(include_str!("../filebeat/filebeat.yml"));
    let compose = yaml(include_str!("../../docker-compose.yml"));
    let number = |value: &Value| value.as_u64().expect("a number");
    const PIPELINES: u64 = 2;
    const COPIES: u64 = 10;
    let lines = PIPELINES * number(&logstash["pipeline.workers"]) * number(&logstash["pipeline.batch.size"]);
    let in_hand = lines * number(&filebeat["filebeat.inputs"][0]["message_max_bytes"]) * COPIES;
    let options = compose["services"]["logstash"]["environment"]["LS_JAVA_OPTS"].as_str().unwrap();
    let heap = options.split_once("-Xmx").unwrap().1.split_once('m').unwrap().0.parse::<u64>().unwrap();
    assert!(in_hand < heap << 20, "{in_hand} bytes of {heap} MiB");
    assert!(options.contains("max-nesting-depth=50"), "a deep line overflows the stack");
}

#[test]
fn filebeat_derives_a_lines_id_from_values_that_never_change() {
    let filebeat = yaml(include_str!("../filebeat/filebeat.yml"));
    let input = &filebeat["filebeat.inputs"][0];
    assert_eq!((&input["type"], &input["file_identity.fingerprint"]), (&json!("filestream"), &Value::Null));
    assert!(input["id"].is_string() && input["prospector.scanner"]["fingerprint"]["enabled"] == true, "{input}");
    let processors = input["processors"].as_array().unwrap();
    let fingerprint = &processors.last().unwrap()["fingerprint"];
    assert_eq!(fingerprint["fields"], json!(["@timestamp", "container.id", "log.offset", "message"]));
    assert_eq!(fingerprint["target_field"], "@metadata._id");
    assert!(RECORDS.contains("\"[@metadata][_id]\" => \"[@metadata][id]\""));
}

#[test]
fn elasticsearchs_record_of_searches_is_read_where_it_is_written() {
    let line =
        elk::SEARCH_LOG_CONFIGURATION.lines().find(|line| line.starts_with("appender.searches.fileName")).unwrap();
    assert!(line.ends_with("${sys:es.logs.base_path}${sys:file.separator}searches.json"), "{line}");
    let volumes_of = |compose: &Value, service: &str| {
        let volumes = compose["services"][service]["volumes"].as_array().unwrap().iter().filter_map(Value::as_str);
        volumes.map(str::to_owned).collect::<Vec<_>>()
    };
    let common = yaml(include_str!("../../deploy/containers/common.yml"));
    let elasticsearch = volumes_of(&common, "elasticsearch");
    assert!(elasticsearch.contains(&"searches:/usr/share/elasticsearch/logs".to_owned()), "{elasticsearch:?}");
    assert_eq!(common["services"]["elasticsearch"]["environment"]["elasticsearch.querylog.enabled"], "true");

    let (full, small) =
        (yaml(include_str!("../../docker-compose.yml")), yaml(include_str!("../../docker-compose.small.yml")));
    assert!(volumes_of(&full, "filebeat").contains(&"searches:/searches:ro".to_owned()));
    assert!(volumes_of(&small, "rsyslog").contains(&"searches:/searches:ro".to_owned()));
    let pattern = "/searches/searches*.json";
    assert_eq!(small["services"]["rsyslog"]["environment"]["SEARCH_FILES"], pattern);
    assert_eq!(yaml(include_str!("../filebeat/filebeat.yml"))["filebeat.inputs"][1]["paths"], json!([pattern]));
    assert!(RECORDS.contains(r"if [@metadata][file] =~ /\A\/searches\/searches[^\/]*[.]json\z/ {"));
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
