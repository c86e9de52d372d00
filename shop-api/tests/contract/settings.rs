//! Settings: all are documented, and a wrong one is named.

use common::service::{Application, Settings};
use shop_api::ShopApi;
use testkit::service;

const DOCUMENTATION: &str = include_str!("../../../docs/settings.md");

#[test]
fn every_setting_is_documented() {
    let variables = Settings::<ShopApi>::variables();
    assert!(variables.contains(&"LISTEN_ADDR".to_owned()));
    for variable in variables {
        assert!(DOCUMENTATION.contains(&format!("`{variable}`")), "{variable} is not in docs/settings.md");
    }
}

#[test]
fn every_setting_has_a_default() {
    assert!(Settings::<ShopApi>::from_flags([]).is_ok());
}

#[test]
fn a_value_that_can_not_be_read_is_named() {
    for (flag, value, variable) in [
        ("--listen-addr", "x", "LISTEN_ADDR"),
        ("--database-connections", "1", "DATABASE_CONNECTIONS"),
        ("--upload-limit-bytes", "0", "UPLOAD_LIMIT_BYTES"),
        ("--upload-limit-bytes", "64 MiB", "UPLOAD_LIMIT_BYTES"),
        ("--session-idle-minutes", "1", "SESSION_IDLE_MINUTES"),
        ("--session-hours", "0", "SESSION_HOURS"),
        ("--shutdown-seconds", "0", "SHUTDOWN_SECONDS"),
    ] {
        let error = Settings::<ShopApi>::from_flags([flag, value]).err().expect("it is wrong").to_string();
        assert!(error.contains(variable), "{error}");
    }
}

/// Why a shop with these flags doesn't start.
async fn complaint(flags: &[&str]) -> String {
    let settings = Settings::<ShopApi>::from_flags(flags.iter().copied()).expect("they can be read");
    let error = Application::build(&settings).await.err().expect("it can't start");
    format!("{error:#}")
}

#[tokio::test]
async fn a_value_that_can_not_be_used_is_named() {
    let shop = service::start::<ShopApi>(&[]).await;
    let models = format!("file://{}", shop.models().display());
    let address = shop.anonymous().request(reqwest::Method::GET, "/").build().expect("a request").url().clone();
    let taken = format!("127.0.0.1:{}", address.port().expect("a port"));
    let database = shop.database_url();
    for (address, database, models, variable) in [
        (taken.as_str(), database, models.as_str(), "LISTEN_ADDR"),
        ("127.0.0.1:0", "mysql://somewhere", &models, "DATABASE_URL"),
        ("127.0.0.1:0", "postgres://ada:tell-nobody@127.0.0.1:1/shop", &models, "DATABASE_URL"),
        ("127.0.0.1:0", database, "ftp://models", "MODEL_STORE_URL"),
        ("127.0.0.1:0", database, "file:///proc/models", "MODEL_STORE_URL"),
    ] {
        let flags = ["--listen-addr", address, "--database-url", database, "--model-store-url", models];
        let complaint = complaint(&flags).await;
        assert!(complaint.contains(variable), "{complaint}");
        assert!(!complaint.contains("tell-nobody"), "{complaint}");
    }
}
