//! Settings: all are documented, and a wrong one is named.

use std::path::Path;

use common::service::{Application, Settings};
use crm_api::CrmApi;

use crate::crm;

#[test]
fn the_settings_of_its_own_are_there() {
    let variables = Settings::<CrmApi>::variables();
    for own in ["AMQP_URL", "DEADLINES_FILE", "STUCK_CHECK_SECONDS"] {
        assert!(variables.contains(&own.to_owned()), "{own}");
    }
}

#[test]
fn a_value_that_can_not_be_read_is_named() {
    for (flag, value, variable) in [
        ("--listen-addr", "x", "LISTEN_ADDR"),
        ("--consumer-concurrency", "0", "CONSUMER_CONCURRENCY"),
        ("--relay-batch", "many", "RELAY_BATCH"),
        ("--relay-poll-ms", "1", "RELAY_POLL_MS"),
        ("--stuck-check-seconds", "0", "STUCK_CHECK_SECONDS"),
    ] {
        let error = Settings::<CrmApi>::from_flags([flag, value]).err().expect("it is wrong").to_string();
        assert!(error.contains(variable), "{error}");
    }
}

#[tokio::test]
async fn a_value_that_can_not_be_used_is_named() {
    let crm = crm().await;
    let models = format!("file://{}", crm.models().display());
    let complaint = async |flag: &str, value: &str| {
        let mut flags = vec!["--listen-addr", "127.0.0.1:0", "--database-url", crm.database_url()];
        flags.extend(["--model-store-url", &models, flag, value]);
        let settings = Settings::<CrmApi>::from_flags(flags).expect("they can be read");
        format!("{:#}", Application::build(&settings).await.err().expect("it can't start"))
    };
    let broker = complaint("--amqp-url", "http://a-secret@somewhere").await;
    assert!(broker.contains("AMQP_URL") && !broker.contains("a-secret"), "{broker}");

    let missing = complaint("--deadlines-file", "/nowhere/deadlines.toml").await;
    assert!(missing.contains("DEADLINES_FILE") && missing.contains("/nowhere/deadlines.toml"), "{missing}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-deadlines.toml");
    for (wrong, named) in
        [("SUBMITTED = \"soon\"", "SUBMITTED"), ("CLOSED = \"1 day\"", "CLOSED"), ("LOST", "DEADLINES_FILE")]
    {
        std::fs::write(&path, wrong).expect("a file");
        let complaint = complaint("--deadlines-file", path.to_str().expect("a path")).await;
        assert!(complaint.contains("DEADLINES_FILE") && complaint.contains(named), "{complaint}");
    }
    std::fs::remove_file(path).expect("the file goes");
}
