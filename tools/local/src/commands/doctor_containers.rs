//! `doctor --containers`: what the system in containers needs from this machine, how each service is, and whether a record
//! gets to Elasticsearch.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::iter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::clients::elasticsearch::Elasticsearch;
use crate::host::{folders::workspace, ports, ports::Reserved, process};
use crate::system::accounts::Login;
use crate::terminal::{print, table};

/// The oldest `docker compose` that reads the compose files.
const COMPOSE: [u32; 2] = [2, 24];
/// The oldest engine with `start_interval` of health checks.
const ENGINE: [u32; 2] = [25, 0];
/// What Elasticsearch wants of the kernel.
const MAP_COUNT: u64 = 262_144;
/// How long a record may take to Elasticsearch.
const PATIENCE: Duration = Duration::from_secs(30);
/// An answer of Docker.
const WITHIN: Duration = Duration::from_secs(30);
/// The variable that names the compose file, and so the way that is run.
const COMPOSE_FILE: &str = "COMPOSE_FILE";
/// Folders of the repository whose files containers read.
const MOUNTED: [&str; 3] = ["elk", "deploy/postgres", "deploy/rabbitmq"];

type Variables = BTreeMap<String, String>;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    what: String,
    found: String,
    /// What to do; empty if nothing has to be done.
    advice: String,
}

impl Finding {
    fn new(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), advice: advice.into() }
    }
}

/// Prints the table; fails if something has to be done.
pub(crate) async fn doctor() -> Result<()> {
    let variables = variables()?;
    let small = variables.get(COMPOSE_FILE).is_some_and(|file| file.contains("small"));
    let mut findings = machine(&variables, small);
    match docker(&["info", "--format", "{{json .}}"]).await.and_then(|text| Ok(serde_json::from_str(&text)?)) {
        Ok(info) => findings.extend(engine(&info, &variables, small)),
        Err(error) => findings.push(Finding::new("Docker", format!("{error:#}"), "start it, or join its group")),
    }
    let compose = docker(&["compose", "version", "--short"]).await.unwrap_or_default();
    findings.push(version("docker compose", &compose, COMPOSE));
    let services = docker(&["compose", "ps", "--all", "--format", "json"]).await.unwrap_or_default();
    let services = services_of(&services)?;
    if services.is_empty() {
        findings.extend(free_ports(&variables)?);
        findings.push(Finding::new("services", "none is there", "docker compose up --wait"));
    } else {
        findings.extend(services.iter().map(service));
        findings.push(way_of_a_record(&variables).await.unwrap_or_else(|error| {
            Finding::new("a record's way", format!("{error:#}"), "docs/containers.md: no record arrives")
        }));
    }
    let mut table = table::with_header(["what", "found", "what to do"]);
    table.add_rows(findings.iter().map(|finding| [&finding.what, &finding.found, &finding.advice]));
    print::out(table);
    ensure!(findings.iter().all(|finding| finding.advice.is_empty()), "something has to be done");
    Ok(())
}

/// The variables of `.env`, and `COMPOSE_FILE`; values of this process's environment win, as they do for `docker compose`.
fn variables() -> Result<Variables> {
    let text = fs::read_to_string(workspace().join(".env")).context("reading .env")?;
    Ok(variables_of(&text, |name| env::var(name).ok()))
}

/// Other variables of the environment are not the system's, such as `KUBERNETES_PORT`, which is an address.
fn variables_of(text: &str, in_environment: impl Fn(&str) -> Option<String>) -> Variables {
    let lines = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| !name.starts_with('#'));
    let all = iter::once((COMPOSE_FILE, "")).chain(lines);
    all.map(|(name, value)| (name.to_owned(), in_environment(name).unwrap_or_else(|| value.to_owned()))).collect()
}

async fn docker(arguments: &[&str]) -> Result<String> {
    process::run(process::command("docker").args(arguments).current_dir(workspace()), WITHIN).await
}

/// What does not depend on Docker.
fn machine(variables: &Variables, small: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(count) = fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse().ok())
    {
        findings.push(map_count(count, small));
    }
    let hidden = MOUNTED.iter().find_map(|folder| unreadable(&workspace().join(folder)));
    findings.push(match hidden {
        None => Finding::new("files of this clone", "every user may read them", ""),
        Some(path) => Finding::new("files of this clone", format!("{path} is private"), "chmod -R go+rX elk deploy"),
    });
    let replaced = variables.get("ELASTIC_PASSWORD").is_some_and(|password| password != "elasticLocalOnly");
    let passwords = if replaced { "replaced" } else { "those of the repository, for this machine only" };
    findings.push(Finding::new("passwords", passwords, ""));
    findings
}

/// Elasticsearch with a single node starts all the same, and has few enough indices in the small setup.
fn map_count(count: u64, small: bool) -> Finding {
    let low = count < MAP_COUNT && !small;
    let advice = if low { format!("sysctl -w vm.max_map_count={MAP_COUNT}") } else { String::new() };
    Finding::new("vm.max_map_count", count.to_string(), advice)
}

/// A file or folder that the users in containers can't read.
fn unreadable(path: &Path) -> Option<String> {
    let needed = if path.is_dir() { 0o005 } else { 0o004 };
    if fs::metadata(path).is_ok_and(|data| data.permissions().mode() & needed != needed) {
        return Some(path.display().to_string());
    }
    fs::read_dir(path).into_iter().flatten().flatten().find_map(|entry| unreadable(&entry.path()))
}

/// What `docker info` says.
fn engine(info: &Value, variables: &Variables, small: bool) -> Vec<Finding> {
    let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
    let options = info["SecurityOptions"].as_array().cloned().unwrap_or_default();
    let has = |option: &str| options.iter().filter_map(Value::as_str).any(|found| found.contains(option));
    let mut findings = vec![version("Docker Engine", &text("ServerVersion"), ENGINE)];
    let architecture = text("Architecture");
    let known = ["x86_64", "aarch64"].contains(&architecture.as_str());
    let advice = if known { "" } else { "Elastic has images for x86_64 and aarch64 only" };
    findings.push(Finding::new("architecture", architecture, advice));
    let (needed, memory) = (if small { 2 } else { 6 }, info["MemTotal"].as_u64().unwrap_or_default() / 1_000_000_000);
    let advice = if memory < needed { "give Docker more, or take docker-compose.small.yml" } else { "" };
    findings.push(Finding::new("memory", format!("{memory} GB of {needed}"), advice));
    findings.push(Finding::new("cgroups", format!("v{}", text("CgroupVersion")), ""));
    if has("selinux") {
        let advice = "docs/containers.md: SELinux";
        findings.push(Finding::new("SELinux", "Docker keeps containers from this clone's files", advice));
    }
    if !small {
        findings.push(data_root(&text("DockerRootDir"), has("rootless"), variables));
    }
    findings
}

/// Whether Filebeat finds the containers' output.
fn data_root(root: &str, rootless: bool, variables: &Variables) -> Finding {
    let set = variables.get("DOCKER_DATA_ROOT").map_or("", String::as_str);
    let found = if rootless { format!("{root}, rootless") } else { root.to_owned() };
    let advice = if set == root { String::new() } else { format!("DOCKER_DATA_ROOT={root} instead of {set} in .env") };
    Finding::new("Docker's data", found, advice)
}

/// A version and whether it is new enough.
fn version(what: &str, found: &str, oldest: [u32; 2]) -> Finding {
    let found = found.trim().trim_start_matches('v');
    let mut numbers = found.split(['.', '-', '+']).map(|part| part.parse::<u32>().unwrap_or_default());
    let numbers = [numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()];
    let advice = if numbers < oldest { format!("{}.{} or newer", oldest[0], oldest[1]) } else { String::new() };
    Finding::new(what, if found.is_empty() { "missing" } else { found }, advice)
}

/// The ports of `.env`, before anything listens on them.
fn free_ports(variables: &Variables) -> Result<Vec<Finding>> {
    let ports = variables.iter().filter(|(name, _)| name.ends_with("_PORT"));
    let mut findings = Vec::new();
    for (name, value) in ports {
        let Ok(port) = value.parse() else { bail!("{name} is no port: {value}") };
        findings.push(match Reserved::take(port)? {
            Some(_) => Finding::new(format!("port {port}"), "free", ""),
            None => Finding::new(format!("port {port}"), ports::holder(port), format!("another {name} in .env")),
        });
    }
    Ok(findings)
}

/// The containers that `docker compose ps` lists: as one list, or with one per line, depending on its version.
fn services_of(text: &str) -> Result<Vec<Value>> {
    if text.trim_start().starts_with('[') {
        return Ok(serde_json::from_str(text)?);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// How a container is.
fn service(container: &Value) -> Finding {
    let text = |name: &str| container[name].as_str().unwrap_or_default();
    let (name, state, health) = (text("Service"), text("State"), text("Health"));
    let done = state == "exited" && container["ExitCode"] == 0;
    let well = state == "running" && ["", "healthy"].contains(&health);
    let advice = match (done || well, health) {
        (true, _) => String::new(),
        (false, "starting") => "wait a minute, and ask again".to_owned(),
        (false, _) => format!("docker compose logs {name}"),
    };
    let found = match (done, health) {
        (true, _) => "done".to_owned(),
        (false, "") => state.to_owned(),
        (false, _) => format!("{state}, {health}"),
    };
    Finding::new(name, found, advice)
}

/// Lets the shop write a record, and waits until Support can find it.
async fn way_of_a_record(variables: &Variables) -> Result<Finding> {
    let variable = |name: &str| variables.get(name).with_context(|| format!("{name} is not in .env"));
    let shop = format!("http://127.0.0.1:{}/doctor", variable("SHOP_PORT")?);
    let problem: Value = reqwest::get(&shop).await.context("the shop")?.json().await.context("the shop's response")?;
    let id = problem["request_id"].as_str().context("the shop's response has no request_id")?;
    let address = format!("http://127.0.0.1:{}", variable("ELASTICSEARCH_PORT")?);
    let support = Login { login: "support".to_owned(), password: variable("SUPPORT_PASSWORD")?.clone() };
    let elasticsearch = Elasticsearch::new(&address, &support, "")?;
    let count = format!("{}/_count", elk::INDEX_PATTERN);
    let query = json!({ "query": { "term": { catalogue::field::HTTP_REQUEST_ID: id } } });
    let began = tokio::time::Instant::now();
    while began.elapsed() < PATIENCE {
        if elasticsearch.call(Method::POST, &count, Some(&query)).await?["count"] != 0 {
            let found = format!("in Elasticsearch after {:.1} s", began.elapsed().as_secs_f64());
            return Ok(Finding::new("a record's way", found, ""));
        }
        tokio::time::sleep(process::POLL).await;
    }
    bail!("the record of request {id} is not in Elasticsearch after {} s", PATIENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(root: &str) -> Variables {
        BTreeMap::from([("DOCKER_DATA_ROOT".to_owned(), root.to_owned())])
    }

    fn advice(findings: &[Finding], what: &str) -> String {
        findings.iter().find(|finding| finding.what == what).unwrap_or_else(|| panic!("{findings:?}")).advice.clone()
    }

    #[test]
    fn the_environment_sets_the_variables_of_the_file_and_which_compose_file_it_is_and_no_others() {
        let environment =
            [("SHOP_PORT", "9081"), ("KUBERNETES_PORT", "tcp://10.0.0.1:443"), ("COMPOSE_FILE", "small.yml")];
        let environment = BTreeMap::from(environment);
        let in_environment = |name: &str| environment.get(name).map(|value| (*value).to_owned());
        let found = variables_of("# A_PORT=1\nSHOP_PORT=8081\nCRM_PORT=8082\n", in_environment);
        let expected = [("COMPOSE_FILE", "small.yml"), ("CRM_PORT", "8082"), ("SHOP_PORT", "9081")];
        assert_eq!(found, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    }

    #[test]
    fn an_ordinary_engine_needs_nothing() {
        let info = json!({"ServerVersion": "26.1.5+dfsg1", "Architecture": "aarch64", "MemTotal": 8_000_000_000_u64,
            "CgroupVersion": "2", "DockerRootDir": "/var/lib/docker", "SecurityOptions": ["name=seccomp,profile=builtin"]});
        let findings = engine(&info, &set("/var/lib/docker"), false);
        assert!(findings.iter().all(|finding| finding.advice.is_empty()), "{findings:?}");
    }

    #[test]
    fn what_is_wrong_with_an_engine_is_said_with_the_remedy() {
        let root = "/home/ada/.local/share/docker";
        let info = json!({"ServerVersion": "24.0.7", "Architecture": "riscv64", "MemTotal": 4_000_000_000_u64,
            "DockerRootDir": root, "SecurityOptions": ["name=rootless", "name=selinux"]});
        let findings = engine(&info, &set("/var/lib/docker"), false);
        assert_eq!(advice(&findings, "Docker Engine"), "25.0 or newer");
        assert!(advice(&findings, "architecture").contains("x86_64"));
        assert!(advice(&findings, "memory").contains("docker-compose.small.yml"));
        assert!(advice(&findings, "SELinux").contains("docs/containers.md"));
        assert!(advice(&findings, "Docker's data").starts_with(&format!("DOCKER_DATA_ROOT={root}")));
        // In the small setup nothing reads Docker's files, and less memory is enough.
        let findings = engine(&info, &set("/var/lib/docker"), true);
        assert_eq!(advice(&findings, "memory"), "");
        assert!(!findings.iter().any(|finding| finding.what == "Docker's data"));
    }

    #[test]
    fn a_missing_compose_is_told_from_an_old_one() {
        assert_eq!(version("docker compose", "", COMPOSE).found, "missing");
        assert_eq!(version("docker compose", "v2.9.0\n", COMPOSE).advice, "2.24 or newer");
        assert_eq!(version("docker compose", "2.26.1-4", COMPOSE).advice, "");
        assert_eq!(version("docker compose", "5.0.0", COMPOSE).advice, "");
    }

    #[test]
    fn both_forms_of_the_list_of_services_are_read() {
        let one = r#"{"Service":"shop-api","State":"running","Health":"healthy","ExitCode":0}"#;
        assert_eq!(services_of(&format!("{one}\n{one}\n")).unwrap(), services_of(&format!("[{one},{one}]")).unwrap());
        assert_eq!(services_of("").unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn a_job_that_is_done_is_well_and_a_failed_one_is_not() {
        let container = |state: &str, health: &str, code: u8| {
            service(&json!({"Service": "x", "State": state, "Health": health, "ExitCode": code}))
        };
        assert_eq!(container("exited", "", 0), Finding::new("x", "done", ""));
        assert_eq!(container("exited", "", 1), Finding::new("x", "exited", "docker compose logs x"));
        assert_eq!(container("running", "healthy", 0).advice, "");
        assert_eq!(container("running", "unhealthy", 0).advice, "docker compose logs x");
        assert!(container("running", "starting", 0).advice.contains("wait"));
    }
}
