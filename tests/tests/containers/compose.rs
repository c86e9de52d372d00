//! The compose files and the system that was made of one of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use local::{AccountList, Login, SystemFile};
use serde_json::Value;
use testkit::{eventually_within, search::Search, secrets, site::Site};
use tokio::process::Command;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository").to_owned()
}

/// The variables of `.env`; those of this process's environment win, as they do for `docker compose`.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let file = fs::read_to_string(root().join(".env")).expect("there is .env");
    let lines = file.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line} is no variable")));
    pairs.map(|(name, value)| (name.to_owned(), std::env::var(name).unwrap_or_else(|_| value.to_owned()))).collect()
}

/// Runs `docker` with these arguments in the repository; returns what it printed.
///
/// The compose file is the one in `COMPOSE_FILE`, the project that in `COMPOSE_PROJECT_NAME`.
pub(crate) async fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).current_dir(root()).output().await.expect("docker can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// `docker compose` with these arguments.
pub(crate) async fn compose(arguments: &[&str]) -> String {
    docker(&[&["compose"], arguments].concat()).await
}

/// The ids of a service's running containers.
pub(crate) async fn containers(service: &str) -> Vec<String> {
    compose(&["ps", "--quiet", service]).await.lines().map(str::to_owned).collect()
}

/// Waits until a container's health check is content.
pub(crate) async fn healthy(container: &str) {
    eventually_within(Duration::from_secs(180), &format!("{container} to be healthy"), async || {
        let health = docker(&["inspect", "--format", "{{.State.Health.Status}}", container]).await;
        if health.trim() == "healthy" { Ok(()) } else { Err(health) }
    })
    .await;
}

/// The running system.
pub(crate) struct Running {
    pub(crate) site: Site,
    pub(crate) elasticsearch: String,
    pub(crate) support_page: String,
    pub(crate) support: Login,
    pub(crate) employee: Login,
}

impl Running {
    /// The one that `COMPOSE_FILE` and `COMPOSE_PROJECT_NAME` name.
    pub(crate) async fn new() -> Self {
        let variables = variables();
        let address = |port: &str| Some(format!("http://127.0.0.1:{}", variables[port]));
        let login =
            |login: &str, password: &str| Login { login: login.to_owned(), password: variables[password].clone() };
        let file = SystemFile {
            shop_api: address("SHOP_PORT"),
            crm_api: address("CRM_PORT"),
            mes_api: address("MES_PORT"),
            accounts: AccountList {
                seller: Some(login("seller", "SELLER_PASSWORD")),
                operator: Some(login("operator", "OPERATOR_PASSWORD")),
                second_operator: Some(login("second-operator", "OPERATOR_PASSWORD")),
                ..AccountList::default()
            },
            partner_key: Some(key("mes-api", "partner").await),
            carrier_key: Some(key("crm-api", "carrier").await),
            ..SystemFile::default()
        };
        Self {
            site: Site::of(&file),
            elasticsearch: address("ELASTICSEARCH_PORT").expect("a port is set"),
            support_page: address("SUPPORT_WEB_PORT").expect("a port is set"),
            support: login("support", "SUPPORT_PASSWORD"),
            employee: login("employee", "EMPLOYEE_PASSWORD"),
        }
    }

    /// Elasticsearch as Support sees it.
    pub(crate) fn search(&self) -> Search {
        Search::new(&self.elasticsearch, &self.support)
    }
}

/// A new API key, made as the documentation says.
async fn key(service: &str, role: &str) -> String {
    let name = format!("test-{role}");
    let said = compose(&["exec", "-T", service, service, "key", "add", "--role", role, "--name", &name]).await;
    let made: Value = serde_json::from_str(said.trim()).expect("a key is printed as JSON");
    secrets::keep(made["key"].as_str().expect("a key"))
}
