//! The broker's configuration and the services' queues use nothing that RabbitMQ 4 has removed: the runner's broker is
//! Debian's 3.10, the compose files' is 4.

use std::fs;

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
