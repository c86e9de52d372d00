//! The broker's passwords are the environment's, and its configuration and the services' queues use nothing that RabbitMQ 4 has
//! removed: the runner's broker is Debian's 3.10, the compose files' is 4.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::compose::root;

/// What a policy may set for a quorum queue of RabbitMQ 4. Without the mirrors of classic queues (`ha-…`,
/// `queue-master-locator`) and `queue-mode`, which are gone.
const POLICY: [&str; 10] = [
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "dead-letter-strategy",
    "delivery-limit",
    "expires",
    "max-length",
    "max-length-bytes",
    "message-ttl",
    "overflow",
    "target-group-size",
];

#[test]
fn policies_set_only_what_quorum_queues_of_rabbitmq_4_have() {
    let definitions = fs::read_to_string(root().join("deploy/rabbitmq/definitions.json")).expect("definitions");
    let definitions: Value = serde_json::from_str(&definitions).expect("JSON");
    for policy in definitions["policies"].as_array().expect("policies") {
        for name in policy["definition"].as_object().expect("a definition").keys() {
            assert!(POLICY.contains(&name.as_str()), "{}: {name}", policy["name"]);
        }
    }
}

#[test]
fn queues_are_quorum_queues_and_have_no_other_argument() {
    let broker = fs::read_to_string(root().join("common/src/messaging/broker.rs")).expect("a source");
    let arguments: Vec<&str> = broker.split("\"x-").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(arguments, ["queue-type"]);
    assert!(broker.contains("\"quorum\""), "a classic queue would not be replicated");
}

const PASSWORDS: [(&str, &str, &str); 3] = [
    // What JSON and the shell would change.
    ("alexandrite", "ALEXANDRITE_AMQP_PASSWORD", r#"a"b\c\"d&e$f${CRM} 'g*/|"#),
    ("crm", "CRM_AMQP_PASSWORD", "first"),
    ("mes", "MES_AMQP_PASSWORD", "second"),
];

#[test]
fn every_user_of_the_broker_has_the_environments_password() {
    let folder = folder("passwords");
    let loaded = folder.join("definitions.json");
    let output = start(&folder, &loaded, &PASSWORDS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "rabbitmq-server\n");
    let definitions = fs::read_to_string(&loaded).expect("definitions");
    let definitions: Value = serde_json::from_str(&definitions).expect("JSON");
    let users = definitions["users"].as_array().expect("users");
    let passwords = users.iter().map(|user| (user["name"].as_str(), user["password"].as_str()));
    let expected = PASSWORDS.map(|(user, _, password)| (Some(user), Some(password)));
    assert_eq!(passwords.collect::<Vec<_>>(), expected);
    assert!(users.iter().all(|user| user["password_hash"].is_null()), "{users:?}");
    let mode = fs::metadata(&loaded).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_broker_does_not_start_without_a_password() {
    let folder = folder("no-password");
    let loaded = folder.join("definitions.json");
    for missing in 0..PASSWORDS.len() {
        let mut passwords = PASSWORDS;
        passwords[missing].2 = "";
        let output = start(&folder, &loaded, &passwords);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(PASSWORDS[missing].1), "{output:?}");
        assert!(!loaded.exists());
    }
}

#[test]
fn the_broker_loads_the_definitions_that_its_start_writes() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let containers: Value = serde_saphyr::from_str(&read("deploy/containers/common.yml")).expect("YAML");
    let entrypoint = &containers["services"]["rabbitmq"]["entrypoint"];
    let written = entrypoint[2].as_str().expect("a file");
    let configuration = read("deploy/rabbitmq/rabbitmq.conf");
    assert!(configuration.contains(&format!("\nload_definitions = {written}\n")), "{configuration}");
    // Otherwise a password that was changed in the broker would count until the next upgrade.
    assert!(!configuration.contains("skip_if_unchanged"), "{configuration}");
}

/// A folder with a program in the place of the image's entry point, which prints its arguments.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rabbitmq-{name}"));
    fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("docker-entrypoint.sh");
    fs::write(&program, "#!/bin/bash\necho \"$@\"\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may be run");
    folder
}

/// Runs the container's start with these passwords, for definitions in this file.
fn start(folder: &Path, definitions: &Path, passwords: &[(&str, &str, &str)]) -> Output {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("there is a PATH"));
    let mut start = Command::new("bash");
    start.arg(root().join("deploy/rabbitmq/start.sh")).arg(definitions).env("PATH", path);
    start.envs(passwords.iter().map(|(_, variable, password)| (variable, password)));
    start.output().expect("bash runs")
}
