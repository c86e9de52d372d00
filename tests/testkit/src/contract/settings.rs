//! Settings: all are documented, and a wrong one is named.

use common::{
    domain::Role,
    service::{Application, Definition, Settings},
};
use reqwest::Method;

use crate::service::start;

const DOCUMENTATION: &str = include_str!("../../../../docs/settings.md");

/// Every setting is documented, with the addresses that are its default.
pub async fn every_setting_is_documented<S: Definition>(_: Role) {
    let variables = Settings::<S>::variables();
    assert!(variables.contains(&"LISTEN_ADDR".to_owned()));
    for variable in variables {
        assert!(DOCUMENTATION.contains(&format!("`{variable}`")), "{variable} is not in docs/settings.md");
    }
    for address in [S::DATABASE_URL, S::AMQP_URL] {
        assert!(DOCUMENTATION.contains(address), "{address} is not in docs/settings.md");
    }
}

/// Every setting has a default.
pub async fn every_setting_has_a_default<S: Definition>(_: Role) {
    assert!(Settings::<S>::from_flags([]).is_ok());
}

/// A value that can't be read is named.
pub async fn a_value_that_can_not_be_read_is_named<S: Definition>(_: Role) {
    for (flag, value, variable) in [
        ("--listen-addr", "x", "LISTEN_ADDR"),
        ("--metrics-addr", "9181", "METRICS_ADDR"),
        ("--metrics-count-seconds", "0", "METRICS_COUNT_SECONDS"),
        ("--ca-file", "/nowhere/ca.pem", "CA_FILE"),
        ("--database-connections", "1", "DATABASE_CONNECTIONS"),
        ("--upload-limit-bytes", "0", "UPLOAD_LIMIT_BYTES"),
        ("--upload-limit-bytes", "64 MiB", "UPLOAD_LIMIT_BYTES"),
        ("--session-idle-minutes", "1", "SESSION_IDLE_MINUTES"),
        ("--session-hours", "0", "SESSION_HOURS"),
        ("--shutdown-seconds", "0", "SHUTDOWN_SECONDS"),
    ] {
        let error = Settings::<S>::from_flags([flag, value]).err().expect("it is wrong").to_string();
        assert!(error.contains(variable), "{error}");
    }
}

/// Why a service with these flags doesn't start.
async fn complaint<S: Definition>(flags: &[&str]) -> String {
    let settings = Settings::<S>::from_flags(flags.iter().copied()).expect("they can be read");
    let error = Application::build(&settings).await.err().expect("it can't start");
    format!("{error:#}")
}

/// A value that can't be used is named, and its password is not shown.
pub async fn a_value_that_can_not_be_used_is_named<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let models = format!("file://{}", service.models().display());
    let address = service.anonymous().request(Method::GET, "/").build().expect("a request").url().clone();
    let taken = format!("127.0.0.1:{}", address.port().expect("a port"));
    let database = service.database_url();
    for (address, database, models, variable) in [
        (taken.as_str(), database, models.as_str(), "LISTEN_ADDR"),
        ("127.0.0.1:0", "mysql://somewhere", &models, "DATABASE_URL"),
        ("127.0.0.1:0", "postgres://ada:a-secret@127.0.0.1:1/shop", &models, "DATABASE_URL"),
        ("127.0.0.1:0", database, "ftp://models", "MODEL_STORE_URL"),
        ("127.0.0.1:0", database, "file:///proc/models", "MODEL_STORE_URL"),
    ] {
        let flags = ["--listen-addr", address, "--database-url", database, "--model-store-url", models];
        let complaint = complaint::<S>(&flags).await;
        assert!(complaint.contains(variable), "{complaint}");
        assert!(!complaint.contains("a-secret"), "{complaint}");
    }
}
