//! What the compose files promise, read without Docker.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};

use crate::compose::{root, variables};

const FULL: &str = "docker-compose.yml";
const SMALL: &str = "docker-compose.small.yml";
/// Where the services that both have in common are described.
const SHARED_FOLDER: &str = "deploy/containers";

/// The services of a compose file, by their names.
type Services = BTreeMap<String, Map<String, Value>>;

/// A compose file's services, with what they extend and with the variables of `.env`.
fn services(path: &str) -> Services {
    let folder = root().join(path).parent().expect("a file is in a folder").to_owned();
    let text = interpolated(&fs::read_to_string(root().join(path)).expect("the compose file can be read"));
    let file: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let Value::Object(services) = &file["services"] else { panic!("{path} has no services") };
    let resolve = |(name, service): (&String, &Value)| {
        let Value::Object(mut service) = service.clone() else { panic!("{path}: {name} is no map") };
        if let Some(base) = service.remove("extends") {
            let base_path = folder.join(base["file"].as_str().expect("a file is extended"));
            let base_path = base_path.strip_prefix(root()).expect("it is in the repository").to_owned();
            let mut base_services = self::services(base_path.to_str().expect("a path is text"));
            let base = base_services.remove(base["service"].as_str().expect("a service is extended"));
            service = extended(base.expect("there is what is extended"), service);
        }
        (name.clone(), service)
    };
    services.iter().map(resolve).collect()
}

/// As compose does it: maps are joined, lists are appended to, anything else is replaced.
fn extended(mut base: Map<String, Value>, more: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in more {
        let joined = match (base.remove(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(extended(old, new)),
            (Some(Value::Array(old)), Value::Array(new)) if !["command", "entrypoint"].contains(&&*name) => {
                Value::Array([old, new].concat())
            }
            (_, new) => new,
        };
        base.insert(name, joined);
    }
    base
}

/// A text with the variables of `.env` in it. `$$` stays: it is for a container's shell.
fn interpolated(text: &str) -> String {
    let variables = variables();
    let mut whole = String::new();
    let mut parts = text.split("${");
    whole.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a variable ends");
        let value = match name.split_once(":-") {
            Some((_, default)) => default,
            None => variables.get(name).unwrap_or_else(|| panic!("{name} is not in .env")),
        };
        whole.push_str(value);
        whole.push_str(rest);
    }
    whole
}

fn both() -> impl Iterator<Item = (&'static str, String, Map<String, Value>)> {
    [FULL, SMALL]
        .into_iter()
        .flat_map(|file| services(file).into_iter().map(move |(name, service)| (file, name, service)))
}

fn text<'a>(service: &'a Map<String, Value>, name: &str) -> &'a str {
    service.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(service: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    service
        .get(name)
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

fn is_job(service: &Map<String, Value>) -> bool {
    text(service, "restart") == "no"
}

fn is_ours(service: &Map<String, Value>) -> bool {
    text(service, "image").starts_with("alexandrite/")
}

/// In MiB.
fn memory(service: &Map<String, Value>) -> u64 {
    let limit = text(service, "mem_limit").strip_suffix('m').expect("a limit in MiB");
    limit.parse().expect("a whole number")
}

#[test]
fn every_image_has_a_version() {
    for (file, name, service) in both() {
        let (_, version) = text(&service, "image").rsplit_once(':').unwrap_or_else(|| panic!("{file}: {name}"));
        let numbers = version.trim_start_matches('v').split(['.', '-']).take_while(|part| part.parse::<u32>().is_ok());
        assert!(numbers.count() >= 2, "{file}: {name} has the version {version}");
    }
}

#[test]
fn every_container_has_the_least_rights_and_limits() {
    for (file, name, service) in both() {
        assert_eq!(list(&service, "cap_drop"), ["ALL"], "{file}: {name}");
        assert!(!service.contains_key("cap_add") && !service.contains_key("privileged"), "{file}: {name}");
        assert_eq!(list(&service, "security_opt"), ["no-new-privileges:true"], "{file}: {name}");
        assert!(service.get("cpus").is_some_and(Value::is_number), "{file}: {name} has no limit of processor time");
        assert!(memory(&service) > 0, "{file}: {name}");
        assert!(service["logging"]["options"]["max-size"].is_string(), "{file}: {name} has a log without end");
        assert!(!service.contains_key("container_name"), "{file}: {name} could not be scaled");
        if is_ours(&service) {
            assert_eq!(service.get("read_only"), Some(&Value::Bool(true)), "{file}: {name}");
        }
    }
}

#[test]
fn elasticsearch_raises_its_first_exception_before_it_listens() {
    for (file, name, service) in both().filter(|(_, name, _)| name == "elasticsearch") {
        let settings = service["environment"].as_object().expect("settings");
        let watermarks: Vec<_> = settings.iter().filter(|(setting, _)| setting.contains(".watermark.")).collect();
        assert_eq!(watermarks.len(), 3, "{file}: {name}");
        for (setting, value) in watermarks {
            assert!(value.as_str().is_some_and(|value| !value.ends_with('b')), "{file}: {setting} is {value}");
        }
    }
}

#[test]
fn every_container_is_a_job_or_is_restarted_and_tells_its_health() {
    for (file, name, service) in both().filter(|(_, _, service)| !is_job(service)) {
        assert_eq!(text(&service, "restart"), "unless-stopped", "{file}: {name}");
        let in_image = service.get("build").is_some_and(|build| {
            let context =
                build.as_object().map_or_else(|| build.as_str().unwrap_or_default(), |build| text(build, "context"));
            let dockerfile = build.get("dockerfile").and_then(Value::as_str).unwrap_or("Dockerfile");
            let of = |folder: PathBuf| fs::read_to_string(folder.join(context).join(dockerfile));
            let dockerfile = of(root().join(SHARED_FOLDER)).or_else(|_| of(root()));
            dockerfile.is_ok_and(|dockerfile| dockerfile.contains("\nHEALTHCHECK "))
        });
        assert!(in_image || service.contains_key("healthcheck"), "{file}: {name} has no health check");
    }
}

#[test]
fn whatever_is_waited_for_is_waited_for_until_it_is_ready() {
    for file in [FULL, SMALL] {
        let services = services(file);
        for (name, service) in &services {
            let Some(Value::Object(needs)) = service.get("depends_on") else { continue };
            for (needed, how) in needs {
                let expected =
                    if is_job(&services[needed]) { "service_completed_successfully" } else { "service_healthy" };
                assert_eq!(how["condition"], expected, "{file}: {name} needs {needed}");
            }
        }
    }
}

/// `docker compose up --wait` fails if a container ends, except one whose end another service waits for.
#[test]
fn somebody_waits_for_every_job() {
    for file in [FULL, SMALL] {
        let services = services(file);
        let waited_for: BTreeSet<&String> = services
            .values()
            .filter_map(|service| service.get("depends_on")?.as_object())
            .flat_map(Map::keys)
            .collect();
        for (name, _) in services.iter().filter(|(_, service)| is_job(service)) {
            assert!(waited_for.contains(name), "{file}: {name}");
        }
    }
}

/// `docker compose down` stops a service before what it depends on, and then removes what it wrote to its output.
#[test]
fn what_ships_the_records_stops_after_the_services() {
    let services = services(FULL);
    let mut last = "shop-api crm-api mes-api".split(' ').map(str::to_owned).collect::<Vec<_>>();
    for next in ["filebeat", "logstash", "elasticsearch"] {
        for service in &last {
            assert!(needs(&services, service).contains(next), "{service} may outlive {next}");
        }
        last = vec![next.to_owned()];
    }
}

/// Everything that a service depends on, directly or not. Fails if that includes itself.
fn needs(services: &Services, of: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![of.to_owned()];
    while let Some(name) = open.pop() {
        let needed = services[&name].get("depends_on").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        open.extend(needed.filter(|name| found.insert((*name).clone())).cloned());
    }
    assert!(!found.contains(of), "{of} waits for itself");
    found
}

#[test]
fn every_service_can_start() {
    for file in [FULL, SMALL] {
        let services = services(file);
        for name in services.keys() {
            assert!(needs(&services, name).iter().all(|needed| services.contains_key(needed)), "{file}: {name}");
        }
    }
}

#[test]
fn alerts_begin_when_records_arrive() {
    let services = services(FULL);
    let needed = needs(&services, "elastalert");
    for name in ["filebeat", "logstash", "gateway", "shop-api", "crm-api", "mes-api"] {
        assert!(needed.contains(name), "elastalert may start before {name}");
    }
}

/// Whoever has it is root on the host.
#[test]
fn no_container_gets_dockers_socket() {
    for (file, name, service) in both() {
        for mount in list(&service, "volumes") {
            assert!(!mount.contains(".sock"), "{file}: {name} has {mount}");
        }
    }
}

#[test]
fn a_service_that_is_stopped_gets_all_the_time_that_it_may_take() {
    let documented = fs::read_to_string(root().join("docs/settings.md")).expect("the settings");
    let (_, row) = documented.split_once("| `SHUTDOWN_SECONDS` | ").expect("it is documented");
    let deadline: u64 = row.split(' ').next().and_then(|number| number.parse().ok()).expect("a default");
    let ours = both().filter(|(_, _, service)| service.contains_key("labels"));
    let graces = ours.map(|(file, name, service)| {
        assert!(!service["environment"].as_object().expect("settings").contains_key("SHUTDOWN_SECONDS"));
        let grace = text(&service, "stop_grace_period").strip_suffix('s').and_then(|number| number.parse().ok());
        (format!("{file}: {name}"), grace.expect("seconds"))
    });
    let graces: Vec<(String, u64)> = graces.collect();
    assert_eq!(graces.len(), 2 * 4, "{graces:?}");
    // Requests get the deadline, and then background work gets it once more.
    assert!(graces.iter().all(|(_, grace)| *grace > 2 * deadline), "{graces:?}");
}

#[test]
fn only_this_machine_reaches_a_port() {
    for (file, name, service) in both() {
        for port in list(&service, "ports") {
            assert!(port.starts_with("127.0.0.1:"), "{file}: {name} has the port {port}");
        }
    }
}

#[test]
fn metrics_are_reached_from_the_containers_network_only() {
    for (file, name, service) in both().filter(|(_, _, service)| text(service, "image").contains("-api:")) {
        if is_job(&service) {
            continue;
        }
        assert_eq!(service["environment"]["METRICS_ADDR"], "0.0.0.0:9180", "{file}: {name}");
        assert!(list(&service, "ports").iter().all(|port| !port.ends_with(":9180")), "{file}: {name}");
    }
}

#[test]
fn the_mes_has_memory_for_the_worst_models_that_it_measures_at_once() {
    // In MiB: the service's own, and a file with what mesh/tests/memory.rs allows beside it.
    let (own, model) = (60, 64 + 176);
    for (file, _, service) in both().filter(|(_, name, _)| name == "mes-api") {
        let workers = service["environment"]["PRICE_WORKERS"].as_str().and_then(|workers| workers.parse::<u64>().ok());
        let workers = workers.expect("a number of workers");
        assert!(memory(&service) >= own + workers * model, "{file}: {workers} workers");
    }
}

#[test]
fn the_whole_need_of_memory_is_what_the_readme_says() {
    for (file, limit) in [(FULL, 6 * 1024), (SMALL, 2 * 1024)] {
        let services = services(file);
        let stays = services.values().filter(|service| !is_job(service)).map(memory).sum::<u64>();
        assert!(stays <= limit, "{file} needs {stays} MiB");
        // Jobs end before the services start.
        let jobs = services.values().filter(|service| is_job(service)).map(memory).sum::<u64>();
        let after_jobs = |image: &str| image.contains("-api:") || image.contains("/support-web:");
        let services = services.values().filter(|service| after_jobs(text(service, "image")) && !is_job(service));
        assert!(stays + jobs <= limit + services.map(memory).sum::<u64>(), "{file}: the jobs need {jobs} MiB");
    }
}

#[test]
fn every_mounted_file_is_there() {
    for (file, name, service) in both() {
        for mount in list(&service, "volumes") {
            let source = mount.split(':').next().unwrap_or_default();
            // Relative paths are relative to the file that has them: the shared one begins them with `..`.
            let folder = if source.starts_with("..") { root().join(SHARED_FOLDER) } else { root() };
            assert!(!source.starts_with('.') || folder.join(source).exists(), "{file}: {name} has {mount}");
        }
    }
}

#[test]
fn every_variable_is_used() {
    let texts = ["deploy/containers/common.yml", FULL, SMALL]
        .map(|path| fs::read_to_string(root().join(path)).expect("a file"));
    let used: BTreeSet<String> = texts
        .iter()
        .flat_map(|text| text.split("${").skip(1))
        .filter_map(|part| Some(part.split_once('}')?.0.split(":-").next()?.to_owned()))
        .collect();
    let unused: Vec<_> = variables().into_keys().filter(|name| !used.contains(name)).collect();
    assert_eq!(unused, [""; 0]);
}

/// `.env` has the versions; what else names one has to say the same.
#[test]
fn every_version_that_stands_elsewhere_is_that_of_the_compose_files() {
    let variables = variables();
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).expect("there is a toolchain");
    let toolchain: toml::Table = toolchain.parse().expect("rust-toolchain.toml is TOML");
    let rust = toolchain["toolchain"]["channel"].as_str().expect("a version");
    let (ours, stack) = (&variables["ALEXANDRITE_VERSION"], &variables["STACK_VERSION"]);
    let (elastalert, postgres) = (&variables["ELASTALERT_VERSION"], &variables["POSTGRES_VERSION"]);
    let postgres_major = postgres.split('.').next().expect("a version has a number");
    for (path, said) in [
        ("Cargo.toml", format!("[workspace.package]\nversion = \"{ours}\"\n")),
        ("Cargo.toml", format!("rust-version = \"{}\"\n", rust.rsplit_once('.').expect("three numbers").0)),
        ("deploy/containers/Dockerfile", format!("\nARG VERSION={ours}\n")),
        ("deploy/containers/Dockerfile", format!("\nARG RUST_VERSION={rust}\n")),
        ("deploy/kubernetes/example/kustomization.yaml", format!("newTag: {ours}\n")),
        ("elk/alerts/requirements.txt", format!("\nelastalert2=={elastalert}\n")),
        ("docs/containers.md", format!("ElastAlert {elastalert}")),
        ("docs/containers.md", format!("Elasticsearch {stack}")),
        ("elk/README.md", format!("Elasticsearch {stack}")),
        ("tools/local/src/parts/elasticsearch.rs", format!("VERSION: &str = \"{stack}\"")),
        ("tools/local/src/parts/postgres_programs.rs", format!("version: \"{postgres}.0\"")),
        ("tools/local/src/parts/postgres_programs.rs", format!("MAJOR: u32 = {postgres_major};")),
        ("docs/containers.md", format!("PostgreSQL is {postgres_major}")),
    ] {
        let text = fs::read_to_string(root().join(path)).expect("a file");
        assert!(text.contains(&said), "{path} doesn't say {said:?}");
    }
    for path in ["deploy/containers/Dockerfile", "deploy/containers/gateway/Dockerfile", "elk/rsyslog/Dockerfile"] {
        let text = fs::read_to_string(root().join(path)).expect("a file");
        let release = text.lines().find_map(|line| line.strip_prefix("ARG DEBIAN_RELEASE=")).expect("a release");
        assert!(services(FULL)["postgres"]["image"].as_str().is_some_and(|image| image.ends_with(release)), "{path}");
    }
}

/// The crates of the workspace, by their folders.
fn crates() -> Vec<PathBuf> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("there is a Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("the workspace has crates");
    members.iter().filter_map(toml::Value::as_str).map(PathBuf::from).collect()
}

/// The files outside of a crate's sources that are compiled into it; what only its unit tests read is none of them.
fn compiled_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(compiled_in(&path));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap_or_default();
        let source = source.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for inclusion in ["include_str!(\"", "include_bytes!(\""] {
            let named = source.split(inclusion).skip(1).filter_map(|text| text.split_once("\")"));
            found.extend(named.map(|(file, _)| folder.join(file).canonicalize().expect("it is there")));
        }
    }
    found
}

#[test]
fn the_build_gets_every_crate_and_every_file_that_is_compiled_in() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect("there is a .dockerignore");
    let comes =
        |path: &Path| ignored.lines().filter_map(|line| line.strip_prefix('!')).any(|line| path.starts_with(line));
    let root = root().canonicalize().expect("a folder");
    for member in crates() {
        assert!(comes(&member.join("Cargo.toml")), "{} is kept from the build by .dockerignore", member.display());
        if member.starts_with("tests") {
            continue;
        }
        for file in compiled_in(&root.join(&member).join("src")) {
            let file = file.strip_prefix(&root).expect("it is in the repository");
            assert!(comes(file), "{} is kept from the build by .dockerignore", file.display());
        }
    }
}

/// The other tests read the files by rules of their own; this is the real reader, where there is one.
#[test]
fn docker_compose_reads_the_files_where_it_is_installed() {
    if !Command::new("docker").args(["compose", "version"]).output().is_ok_and(|output| output.status.success()) {
        println!("docker compose is not installed, so it was not asked");
        return;
    }
    for file in [FULL, SMALL] {
        let asked =
            Command::new("docker").args(["compose", "-f", file, "config", "--quiet"]).current_dir(root()).output();
        let output = asked.expect("docker runs");
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
