//! The catalogue agrees with Elasticsearch's mapping and the shipper; templates, roles and Kibana's objects are
//! consistent.

use std::{collections::HashSet, env, fs, path::Path};

use catalogue::{
    Service,
    field::{self, Kind},
};
use elk::objectives;
use serde_json::Value;

#[test]
fn the_mapping_has_every_field_with_its_type_and_no_other_field() {
    let (_, template) = elk::component_templates().next().unwrap();
    let mappings = &template["template"]["mappings"];
    assert_eq!(mappings["subobjects"], false, "`error` and `error.type` may both be fields of a document");
    assert_eq!(mappings["dynamic"], false, "an unknown field is stored, and the document is not rejected");

    let mapped = mappings["properties"].as_object().unwrap();
    for field in field::ALL {
        let (kind, lenience) = match field.kind {
            Kind::Keyword => ("keyword", Some(("ignore_above", Value::from(8191)))),
            Kind::Long => ("long", Some(("ignore_malformed", Value::from(true)))),
            Kind::Double => ("double", Some(("ignore_malformed", Value::from(true)))),
            Kind::DateNanos => ("date_nanos", Some(("ignore_malformed", Value::from(true)))),
            Kind::Ip => ("ip", Some(("ignore_malformed", Value::from(true)))),
            Kind::Text => ("text", None),
        };
        let expected: Value = [("type", Value::from(kind))].into_iter().chain(lenience).collect();
        assert_eq!(mapped.get(field.name), Some(&expected), "{}", field.name);
    }
    assert_eq!(mapped.len(), field::ALL.len(), "a mapped field is not in the dictionary");
}

#[test]
fn roles_have_unique_names() {
    let names: HashSet<_> = elk::ROLES.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), elk::ROLES.len());
}

#[test]
fn the_index_template_has_every_component_and_does_not_require_retention() {
    let template = elk::index_template();
    let parts: HashSet<_> = template["composed_of"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let retention = elk::retention_template().0;
    assert_eq!(parts, elk::component_templates().map(|(name, _)| name).chain([retention]).collect());
    assert_eq!(template["ignore_missing_component_templates"][0], retention);
    assert_eq!(template["index_patterns"][0], elk::INDEX_PATTERN);
}

#[test]
fn retention_refers_to_a_policy_that_merges_old_indices_and_deletes_them_after_180_days() {
    let (_, template) = elk::retention_template();
    assert_eq!(template["template"]["settings"]["index.lifecycle.name"], elk::ILM_POLICY_NAME);
    let phases = &elk::ilm_policy()["policy"]["phases"];
    assert_eq!(phases["delete"]["min_age"], "180d");
    assert_eq!(phases["warm"]["actions"]["forcemerge"]["max_num_segments"], 1);
}

#[test]
fn the_index_of_elastalerts_runs_is_mapped_like_its_others_and_deleted_after_a_week() {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let runs = json(include_str!("../elasticsearch/alert-runs-template.json"));
    let policy = json(include_str!("../elasticsearch/alert-runs-policy.json"));
    assert_eq!(policy["policy"]["phases"]["delete"]["min_age"], "7d");
    let name = runs["template"]["settings"]["index.lifecycle.name"].as_str().unwrap();
    assert!(include_str!("../setup/elasticsearch.sh").contains(&format!("put _ilm/policy/{name} ")), "{name}");
    // Of two templates for an index, the one with the higher priority alone counts.
    let all = elk::alerts_template();
    assert!(runs["priority"].as_u64() > all["priority"].as_u64());
    for (field, mapping) in runs["template"]["mappings"]["properties"].as_object().unwrap() {
        assert_eq!(all["template"]["mappings"]["properties"][field], *mapping, "{field}");
    }
}

#[test]
fn an_order_that_stands_is_alerted_even_if_its_record_arrives_hours_late() {
    for rule in [include_str!("../alerts/rules/dead-letter.yaml"), include_str!("../alerts/rules/order-stuck.yaml")] {
        let rule: Value = serde_saphyr::from_str(rule).unwrap();
        assert_eq!(rule["buffer_time"]["hours"], 12, "{rule}");
    }
}

#[test]
fn every_service_has_a_rule_for_its_silence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/rules");
    for service in Service::ALL {
        let path = folder.join(format!("service-silent-{service}.yaml"));
        let rule: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for name in [&rule["service"], &rule["filter"][0]["term"]["name"]] {
            assert_eq!(name, service.name());
        }
        assert_eq!(rule["import"], "service-silent.part");
    }
}

#[test]
fn the_roles_file_has_one_line_per_role() {
    let file = elk::roles_file();
    let lines: Vec<_> = file.lines().collect();
    assert_eq!(lines.len(), elk::ROLES.len());
    for ((name, body), line) in elk::ROLES.into_iter().zip(lines) {
        let in_file: Value = serde_json::from_str(line.strip_prefix(&format!("{name}: ")).unwrap()).unwrap();
        assert_eq!(in_file, serde_json::from_str::<Value>(body).unwrap());
    }
}

#[test]
fn no_role_may_change_a_record_and_only_shippers_may_create_one() {
    for (role, expected) in [
        ("apm-server", None),
        ("auditor", None),
        ("elastalert", Some(["read", "view_index_metadata"])),
        ("logstash", Some(["auto_configure", "create_doc"])),
        ("shipper", Some(["auto_configure", "create_doc"])),
        ("support", Some(["read", "view_index_metadata"])),
    ] {
        let entries = role_of(role)["indices"].as_array().unwrap().clone();
        let on_records = entries.iter().filter(|entry| {
            let mut names = entry["names"].as_array().unwrap().iter();
            names.any(|name| [elk::INDEX_PATTERN, elk::READ_BY_SUPPORT, "*"].iter().any(|records| name == records))
        });
        let privileges: Vec<_> = on_records.map(|entry| entry["privileges"].clone()).collect();
        assert_eq!(privileges, expected.map(Value::from).into_iter().collect::<Vec<_>>(), "{role}");
    }
}

#[test]
fn only_the_auditor_reads_who_has_searched() {
    let audit = &elk::audit_template()["index_patterns"];
    for (name, _) in elk::ROLES {
        for entry in role_of(name)["indices"].as_array().unwrap() {
            let reads = entry["privileges"].as_array().unwrap().iter().any(|privilege| privilege == "read");
            let names: Vec<_> = entry["names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(!(reads && names.contains(&elk::INDEX_PATTERN)), "{name} reads the searches as well");
            assert_eq!(entry["names"] == *audit, name == "auditor", "{name}: {names:?}");
        }
    }
}

#[test]
fn only_the_auditor_sees_kibanas_space_of_who_has_searched() {
    let space = format!("space:{}", elk::kibana::AUDIT_SPACE);
    for (name, _) in elk::ROLES {
        let applications = role_of(name)["applications"].as_array().cloned().unwrap_or_default();
        let sees = |space: &str| applications.iter().any(|entry| entry["resources"].to_string().contains(space));
        assert_eq!(sees(&space), name == "auditor", "{name}");
        assert_eq!(sees("space:default"), name == "support", "{name}");
        assert!(!sees("*"), "{name} sees all spaces");
        let mut privileges = applications.iter().flat_map(|entry| entry["privileges"].as_array().unwrap());
        assert!(privileges.all(|privilege| privilege.as_str().unwrap().ends_with(".read")), "{name}");
    }
    let setup = include_str!("../setup/kibana.sh");
    assert!(setup.contains(&format!("\"id\": \"{}\"", elk::kibana::AUDIT_SPACE)));
    assert!(setup.contains(&format!("audit.ndjson /s/{}\n", elk::kibana::AUDIT_SPACE)));
}

#[test]
fn no_role_may_administer_the_cluster() {
    for (name, _) in elk::ROLES {
        let role = role_of(name);
        let cluster = role["cluster"].as_array().unwrap();
        // Elastic's programs request the cluster's version first.
        assert!(cluster.iter().all(|privilege| privilege == "monitor"), "{name}: {cluster:?}");
        assert!(!name.contains("support") || cluster.is_empty());
        assert!(role.get("run_as").is_none(), "{name}");
    }
}

#[test]
fn elastalert_reads_records_and_writes_only_its_own_indices() {
    let role = role_of("elastalert");
    let own = &elk::alerts_template()["index_patterns"];
    for entry in role["indices"].as_array().unwrap() {
        let privileges: Vec<_> = entry["privileges"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let reads_only = privileges == ["read", "view_index_metadata"];
        assert!(reads_only || entry["names"] == *own, "{entry}");
    }
}

fn role_of(name: &str) -> Value {
    let (_, body) = elk::ROLES.into_iter().find(|(role, _)| *role == name).expect("there is such a role");
    serde_json::from_str(body).expect("it is JSON")
}

#[test]
fn the_shipper_accepts_index_names_from_exactly_the_services() {
    let listed: HashSet<_> = elk::SHIPPER_CONFIGURATION
        .split("$.record!name == \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(listed, Service::ALL.into_iter().map(Service::name).collect());
}

#[test]
fn generated_files_are_those_of_the_code() {
    let rules = objectives::rules().into_iter().map(|(name, rule)| (format!("elk/alerts/rules/{name}"), rule));
    let others = [
        ("elk/kibana/alexandrite.ndjson", elk::kibana::saved_objects()),
        ("elk/kibana/audit.ndjson", elk::kibana::audit_objects()),
        ("deploy/grafana/alexandrite.json", elk::grafana::dashboard()),
        ("docs/objectives.md", objectives::page()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, expected) in others.map(|(name, content)| (name.to_owned(), content)).into_iter().chain(rules) {
        let path = root.join(&name);
        if env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == expected, "{name} is not up to date: UPDATE_GENERATED=1 cargo test -p elk");
    }
}

#[test]
fn every_rule_of_an_objective_is_one_of_the_code() {
    let generated: HashSet<_> = objectives::rules().into_iter().map(|(name, _)| name).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/rules");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let found: HashSet<_> = files.filter(|name| name.starts_with("objective-")).collect();
    assert_eq!(found, generated);
}
