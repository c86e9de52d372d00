//! The schema of messages' bodies, and its versions: services of several versions run while they are replaced.
//!
//! A message has the version that it was written by. A field that is added makes no new version: an old reader ignores it,
//! and a new reader must do without it. A field that changes its meaning, or goes, makes one. Then the new reader is rolled
//! out everywhere before the first new message is written, and messages of the old version stay readable: one of each kind
//! is kept in `common/messages/v<version>`, and read by the tests.

use serde::{Deserialize, Serialize};

use crate::{
    domain::OrderFacts,
    failure::{ErrorType, Failure, FailureContext as _},
};

/// The version that is written.
pub(crate) const VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a> {
    schema_version: u32,
    #[serde(flatten)]
    facts: &'a OrderFacts,
}

/// What is read first.
#[derive(Deserialize)]
struct Version {
    /// Messages had no version before this field was added.
    #[serde(default = "first")]
    schema_version: u32,
}

const fn first() -> u32 {
    1
}

/// A message's body.
pub(super) fn write(facts: &OrderFacts) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(Versioned { schema_version: VERSION, facts }).failure("writing a message down")
}

/// What a message says of an order.
///
/// # Errors
///
/// `message_malformed` if it can't be read, `message_too_new` if its version isn't known yet.
pub(crate) fn read(body: &[u8]) -> Result<OrderFacts, Failure> {
    let Version { schema_version } = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    if schema_version > VERSION {
        let versions = format!("it is of version {schema_version}, and {VERSION} is the last one that is known here");
        return Err(Failure::new(ErrorType::MessageTooNew, "reading a message", versions));
    }
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

/// The place only: the parser's own text quotes the body, which may be a customer's comment.
fn malformed(error: &serde_json::Error) -> Failure {
    let place = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
    Failure::new(ErrorType::MessageMalformed, "reading a message", place)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use serde_json::{Value, json};

    use super::*;
    use crate::outbox::message_type::MessageType;

    fn recorded(version: u32) -> Vec<(String, Value)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("messages/v{version}"));
        let files = fs::read_dir(folder).expect("the folder of recorded messages").map(|file| file.unwrap().path());
        let read = |path: std::path::PathBuf| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())
        };
        files.map(read).collect()
    }

    fn bytes(message: &Value) -> Vec<u8> {
        serde_json::to_vec(message).unwrap()
    }

    #[test]
    fn recorded_messages_of_every_version_and_kind_are_readable() {
        for version in 1..=VERSION {
            let messages = recorded(version);
            let kinds: BTreeSet<_> = messages.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(kinds, MessageType::ALL.iter().map(|kind| kind.name()).collect(), "of version {version}");
            for (name, message) in &messages {
                read(&bytes(message))
                    .unwrap_or_else(|failure| panic!("{name} of version {version}: {}", failure.chain()));
            }
        }
    }

    /// A change of what is written needs a decision: is it a new version?
    #[test]
    fn what_is_written_is_what_was_recorded() {
        for (name, message) in recorded(VERSION) {
            let facts = read(&bytes(&message)).unwrap();
            assert_eq!(write(&facts).unwrap(), message, "{name}");
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_not_read_and_a_version_that_is_not_known_is_refused() {
        let (_, mut message) = recorded(VERSION).remove(0);
        message["colour"] = json!("red");
        message["order"]["engraving"] = json!("to Ada");
        read(&bytes(&message)).expect("a message with more in it");
        message["schema_version"] = json!(VERSION + 1);
        let refused = read(&bytes(&message)).expect_err("a message from the future");
        assert_eq!(refused.error_type, ErrorType::MessageTooNew);
    }

    #[test]
    fn a_message_from_before_models_were_measured_is_read_with_what_it_has() {
        let (_, mut message) = recorded(1).into_iter().find(|(name, _)| name == "order.price_failed").unwrap();
        let members = message.as_object_mut().unwrap();
        members.remove("price_failure_code").expect("a code");
        members.remove("price_failure_ru").expect("a text");
        let model = message["order"]["model"].as_object_mut().unwrap();
        for later in ["unit", "measured", "warnings"] {
            model.remove(later).expect(later);
        }
        let facts = read(&bytes(&message)).expect("an older message");
        let failure = facts.price_failure.expect("a reason");
        assert_eq!((failure.code.as_str(), failure.detail_ru), ("unspecified", None));
        assert_eq!(failure.detail, message["price_failure"].as_str().unwrap());
        let model = facts.order.model.expect("a model");
        assert_eq!((model.unit, model.measured, model.warnings), (None, None, Vec::new()));
    }

    #[test]
    fn a_message_from_before_there_were_versions_is_of_the_first() {
        let (_, mut message) = recorded(1).remove(0);
        message.as_object_mut().unwrap().remove("schema_version").expect("a version");
        read(&bytes(&message)).expect("a message without a version");
    }
}
