//! The manifests of `deploy/kubernetes`: rendered by kustomize, held against Kubernetes' own schemas, and looked at for
//! what no schema knows. Both tools come in pinned versions into `target/tools` with the first run.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

use local::test_programs;
use serde_json::{Value, json};

const KUSTOMIZE: &str = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2";
const SCHEMAS: &str = "kubernetes-validate==1.37.0";
/// The oldest Kubernetes that has all that the manifests ask for, and the newest that there is.
const VERSIONS: [&str; 2] = ["1.30.0", "1.37.0"];
/// The policy that denies every pod everything.
const DEFAULT_DENY: &str = "default-deny";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The folder of the tools, whose name has their versions; made when it is first needed.
static TOOLS: LazyLock<PathBuf> = LazyLock::new(|| {
    let versions = format!("kubernetes-{KUSTOMIZE}-{SCHEMAS}").replace(|c: char| "/@=".contains(c), "-");
    let tools = workspace().join("target/tools").join(versions);
    if !tools.exists() {
        // Made beside its place: a folder that is there is whole.
        let fresh = tools.with_added_extension(std::process::id().to_string());
        let go = test_programs::go().expect("there is Go");
        run(Command::new(go).args(["install", KUSTOMIZE]).env("GOBIN", &fresh), "");
        let python = test_programs::python().expect("there is Python");
        run(Command::new(python).args(["-m", "venv"]).arg(&fresh), "");
        run(Command::new(fresh.join("bin/python")).args(["-m", "pip", "install", "--quiet", SCHEMAS]), "");
        // Another process may have been faster.
        let _ = fs::rename(&fresh, &tools).or_else(|_| fs::remove_dir_all(&fresh));
    }
    tools
});

/// What a command says; it has to succeed.
fn run(command: &mut Command, input: &str) -> String {
    let output = try_run(command, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn try_run(command: &mut Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

fn rendered() -> String {
    run(Command::new(TOOLS.join("kustomize")).arg("build").arg(workspace().join("deploy/kubernetes/example")), "")
}

/// The manifests as values.
fn manifests() -> Vec<Value> {
    let to_json = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let json = run(Command::new(TOOLS.join("bin/python")).args(["-c", to_json]), &rendered());
    serde_json::from_str(&json).expect("JSON")
}

/// Whether these manifests keep to the schemas of this version, down to fields that it doesn't know.
fn keeps_to_the_schemas(manifests: &str, version: &str) -> bool {
    let mut file = std::env::temp_dir();
    file.push(format!("manifests-{}.yaml", uuid::Uuid::now_v7().simple()));
    fs::write(&file, manifests).expect("a file");
    let mut validate = Command::new(TOOLS.join("bin/python"));
    validate.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]).arg(&file);
    let output = try_run(&mut validate, "");
    fs::remove_file(&file).expect("the file is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("deployment/shop-api"), "nothing was looked at: {said}");
    eprintln!("{said}");
    output.status.success()
}

fn of_kind<'a>(manifests: &'a [Value], kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    manifests.iter().filter(|manifest| kinds.iter().any(|kind| manifest["kind"] == *kind))
}

#[test]
fn the_manifests_keep_to_the_schemas_of_kubernetes() {
    let rendered = rendered();
    for version in VERSIONS {
        assert!(keeps_to_the_schemas(&rendered, version), "not for Kubernetes {version}");
    }
    let misspelt = rendered.replace("terminationGracePeriodSeconds", "terminationGraceSeconds");
    assert!(!keeps_to_the_schemas(&misspelt, VERSIONS[0]), "a field that there isn't goes unnoticed");
}

#[test]
fn every_selector_selects_the_pods_of_its_own_name_and_no_others() {
    let manifests = manifests();
    let pods: Vec<_> = of_kind(&manifests, &["Deployment", "Job"]).collect();
    let selected = |selector: &Value| -> Vec<&str> {
        let selector = selector.as_object().filter(|labels| !labels.is_empty()).expect("a selector");
        let labels = |pod: &&&Value| {
            let labels = &pod["spec"]["template"]["metadata"]["labels"];
            selector.iter().all(|(name, value)| labels[name] == *value)
        };
        pods.iter().filter(labels).filter_map(|pod| pod["metadata"]["name"].as_str()).collect()
    };
    let mut seen = 0;
    for manifest in &manifests {
        let spec = &manifest["spec"];
        let spread = spec["template"]["spec"]["topologySpreadConstraints"].as_array().into_iter().flatten();
        let mut selectors: Vec<_> = spread.map(|constraint| &constraint["labelSelector"]["matchLabels"]).collect();
        match manifest["kind"].as_str() {
            Some("Service") => selectors.push(&spec["selector"]),
            // The one that denies everything is for every pod.
            Some("NetworkPolicy") if manifest["metadata"]["name"] == DEFAULT_DENY => {}
            Some("NetworkPolicy") => selectors.push(&spec["podSelector"]["matchLabels"]),
            Some("Deployment" | "PodDisruptionBudget") => selectors.push(&spec["selector"]["matchLabels"]),
            _ => {}
        }
        for selector in selectors {
            assert_eq!(selected(selector), [&manifest["metadata"]["name"]], "{manifest}");
            seen += 1;
        }
    }
    // Support's page has one replica, which no budget protects.
    assert_eq!(seen, 3 * 6 + 2 + 5, "a selector is missing");
}

#[test]
fn every_setting_is_one_of_the_documented_ones() {
    let documented = fs::read_to_string(workspace().join("docs/settings.md")).expect("the settings");
    let manifests = manifests();
    let mut set: BTreeSet<&str> = BTreeSet::new();
    for manifest in of_kind(&manifests, &["ConfigMap", "Secret"]) {
        set.extend(manifest["data"].as_object().expect("data").keys().map(String::as_str));
    }
    assert!(set.contains("DATABASE_URL") && set.contains("LISTEN_ADDR"), "{set:?}");
    let unknown: Vec<_> = set.iter().filter(|name| !documented.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "not in docs/settings.md: {unknown:?}");
}

#[test]
fn every_host_of_the_ingress_is_reached_by_tls_and_leads_to_one_of_the_services() {
    let manifests = manifests();
    let services: Vec<_> = of_kind(&manifests, &["Service"]).map(|service| &service["metadata"]["name"]).collect();
    let ingress = &of_kind(&manifests, &["Ingress"]).next().expect("an ingress")["spec"];
    let rules = ingress["rules"].as_array().expect("rules");
    let with_tls = &ingress["tls"][0];
    assert!(with_tls["secretName"].is_string(), "{with_tls}");
    let hosts: Vec<_> = rules.iter().map(|rule| rule["host"].clone()).collect();
    assert_eq!(with_tls["hosts"], Value::from(hosts));
    let backends = rules.iter().map(|rule| &rule["http"]["paths"][0]["backend"]["service"]["name"]);
    assert_eq!(backends.map(Value::to_string).collect::<BTreeSet<_>>().len(), services.len());
    assert!(rules.iter().all(|rule| services.contains(&&rule["http"]["paths"][0]["backend"]["service"]["name"])));
}

#[test]
fn the_ingress_lets_the_largest_model_through() {
    const LARGEST: u64 = 64 * 1024 * 1024;
    let documented = fs::read_to_string(workspace().join("docs/settings.md")).expect("the settings");
    assert!(documented.contains(&format!("| `UPLOAD_LIMIT_BYTES` | {LARGEST} ")));
    let manifests = manifests();
    let ingress = of_kind(&manifests, &["Ingress"]).next().expect("an ingress");
    let limit = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"].as_str();
    let mebibytes = limit.and_then(|limit| limit.strip_suffix('m')).expect("a limit in MiB");
    assert!(mebibytes.parse::<u64>().expect("a whole number") * 1024 * 1024 > LARGEST, "{mebibytes}");
}

#[test]
fn the_readme_names_every_part_of_the_base() {
    let folder = workspace().join("deploy/kubernetes");
    let readme = fs::read_to_string(folder.join("README.md")).expect("the README");
    let table: String = readme.lines().filter(|line| line.starts_with("| `base/")).collect();
    let parts = fs::read_dir(folder.join("base")).expect("the base").map(|part| part.expect("a part").path());
    for part in parts.filter(|part| part.is_dir()) {
        let name = part.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(table.contains(&format!("`{name}`")) || table.contains(&format!("`base/{name}`")), "{name}");
    }
}

#[test]
fn a_replica_that_is_stopped_gets_all_the_time_that_it_may_take() {
    let manifests = manifests();
    let settings = of_kind(&manifests, &["ConfigMap"]).next().expect("the settings");
    let deadline: u64 = settings["data"]["SHUTDOWN_SECONDS"].as_str().and_then(|text| text.parse().ok()).expect("set");
    let deployments: Vec<_> = of_kind(&manifests, &["Deployment"]).collect();
    assert_eq!(deployments.len(), 4);
    for deployment in deployments {
        let pod = &deployment["spec"]["template"]["spec"];
        let pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("a pause");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a grace period");
        // Requests get the deadline, and then background work gets it once more.
        assert!(grace > pause + 2 * deadline, "{grace} s are too short");
    }
}

#[test]
fn metrics_have_a_port_of_their_own_that_no_service_leads_to() {
    let manifests = manifests();
    let settings = of_kind(&manifests, &["ConfigMap"]).next().expect("the settings");
    let address = settings["data"]["METRICS_ADDR"].as_str().expect("an address");
    for deployment in of_kind(&manifests, &["Deployment"]) {
        let template = &deployment["spec"]["template"];
        let ports = template["spec"]["containers"][0]["ports"].as_array().expect("ports");
        let port = ports.iter().find(|port| port["name"] == "metrics").expect("a port")["containerPort"].to_string();
        assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"], port.as_str());
        assert!(address.ends_with(&format!(":{port}")), "{address}");
    }
    for service in of_kind(&manifests, &["Service"]) {
        assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(1));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    }
}

/// The kinds that make pods from a template at `spec.template`.
const WITH_PODS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"];

/// Each pod's name and specification. A kind that holds its pods elsewhere fails the test.
fn pods<'a>(manifests: &'a [Value]) -> Vec<(&'a str, &'a Value)> {
    assert_eq!(of_kind(manifests, &["Pod", "CronJob", "ReplicationController"]).count(), 0, "these are not looked at");
    let name_and_pod = |manifest: &'a Value| {
        (manifest["metadata"]["name"].as_str().expect("a name"), &manifest["spec"]["template"]["spec"])
    };
    let found: Vec<_> = of_kind(manifests, &WITH_PODS).map(name_and_pod).collect();
    let names: BTreeSet<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!((names.len(), found.len()), (6, 6), "{names:?}");
    found
}

/// What in a pod's specification is against the standard "restricted", as its fields
/// (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>).
fn against_restricted(pod: &Value) -> Vec<String> {
    const VOLUMES: [&str; 8] =
        ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    let mut want = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        want(pod[field].is_null() || pod[field] == false, field.to_owned());
    }
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().expect("a volume").keys().filter(|key| *key != "name");
        want(
            kinds.clone().count() == 1 && kinds.clone().all(|kind| VOLUMES.contains(&kind.as_str())),
            volume.to_string(),
        );
    }
    let of_pod = &pod["securityContext"];
    want(list(&of_pod["sysctls"]).is_empty(), "sysctls".to_owned());
    let containers = ["containers", "initContainers", "ephemeralContainers"].map(|kind| list(&pod[kind])).concat();
    want(!containers.is_empty(), "containers".to_owned());
    for container in containers {
        let own = &container["securityContext"];
        // A container's own word counts before its pod's.
        let of = |field: &str| if own[field].is_null() { &of_pod[field] } else { &own[field] };
        let mut want = |holds: bool, what: &str| want(holds, format!("{}: {what}", container["name"]));
        want(own["privileged"].is_null() || own["privileged"] == false, "privileged");
        want(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
        want(own["procMount"].is_null() || own["procMount"] == "Default", "procMount");
        want(of("runAsNonRoot") == true, "runAsNonRoot");
        want(*of("runAsUser") != 0, "runAsUser");
        want(
            ["RuntimeDefault", "Localhost"].iter().any(|kind| of("seccompProfile")["type"] == *kind),
            "seccompProfile",
        );
        want(of("seLinuxOptions").is_null() && of("windowsOptions").is_null(), "options of other systems");
        let apparmor = &of("appArmorProfile")["type"];
        want(apparmor.is_null() || apparmor == "RuntimeDefault" || apparmor == "Localhost", "appArmorProfile");
        want(list(&own["capabilities"]["drop"]).contains(&"ALL".into()), "capabilities.drop");
        want(list(&own["capabilities"]["add"]).iter().all(|added| added == "NET_BIND_SERVICE"), "capabilities.add");
        let ports = list(&container["ports"]);
        want(ports.iter().all(|port| port["hostPort"].is_null() || port["hostPort"] == 0), "hostPort");
    }
    found
}

#[test]
fn every_pod_keeps_to_the_restricted_standard_and_the_namespace_enforces_it() {
    let manifests = manifests();
    let namespace = of_kind(&manifests, &["Namespace"]).next().expect("a namespace");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    for (name, pod) in pods(&manifests) {
        assert_eq!(against_restricted(pod), [""; 0], "{name}");
        for container in pod["containers"].as_array().expect("containers") {
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        }
    }
}

#[test]
fn a_pod_against_the_restricted_standard_is_noticed() {
    let manifests = manifests();
    let pod = pods(&manifests)[0].1;
    let container = "/containers/0/securityContext";
    for (pointer, field, value, noticed) in [
        ("", "hostNetwork", json!(true), 1),
        ("", "volumes", json!([{"name": "root", "hostPath": {"path": "/"}}]), 1),
        ("", "volumes", json!([{"name": "models", "emptyDir": {}}]), 0),
        ("", "initContainers", json!([{"name": "first"}]), 2),
        ("/securityContext", "runAsNonRoot", Value::Null, 1),
        ("/securityContext", "runAsUser", json!(0), 1),
        ("/securityContext", "seccompProfile", json!({"type": "Unconfined"}), 1),
        (container, "runAsNonRoot", json!(false), 1),
        (container, "allowPrivilegeEscalation", Value::Null, 1),
        (container, "privileged", json!(true), 1),
        (container, "capabilities", json!({"drop": ["NET_RAW"]}), 1),
        (container, "capabilities", json!({"drop": ["ALL"], "add": ["SYS_ADMIN"]}), 1),
        ("/containers/0/ports/0", "hostPort", json!(80), 1),
    ] {
        let mut changed = pod.clone();
        changed.pointer_mut(pointer).expect("it is there")[field] = value;
        let found = against_restricted(&changed);
        assert_eq!(found.len(), noticed, "{pointer} {field}: {found:?}");
    }
}

#[test]
fn a_pod_reads_its_own_services_secret_alone() {
    let manifests = manifests();
    for (name, pod) in pods(&manifests) {
        let containers = pod["containers"].as_array().expect("containers");
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert!(!pod.to_string().contains("secretKeyRef") && pod["volumes"].is_null(), "{name} has another way");
        let from = containers.iter().flat_map(|container| container["envFrom"].as_array().into_iter().flatten());
        let secrets: Vec<_> = from.filter_map(|source| source["secretRef"]["name"].as_str()).collect();
        let [secret] = secrets[..] else { panic!("{name}: {secrets:?}") };
        // The secret has the name of the program, and a hash at its end if it is made from a file.
        let own = containers[0]["command"][0].as_str().expect("a program");
        assert!(
            secret == own || secret.strip_prefix(own).is_some_and(|rest| rest.starts_with('-')),
            "{name}: {secret}"
        );
    }
}

/// Every connection that a policy allows: pod, way, other end, port.
type Edges = BTreeSet<[String; 4]>;

/// The connections that the README lists.
fn documented_edges() -> Edges {
    let readme = fs::read_to_string(workspace().join("deploy/kubernetes/README.md")).expect("the README");
    let (_, table) = readme.split_once("|---|---|---|---|---|\n").expect("the table");
    let mut edges = Edges::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [pods, way, end, ports, _] = &cells[..] else { panic!("{row}") };
        for pod in pods.split(", ") {
            let edge = |port: &str| [pod, way, end, port].map(str::to_owned);
            edges.extend(ports.split(", ").map(edge));
        }
    }
    edges
}

/// The connections that the policies allow. Each is of the pod of its own name, which another test holds.
fn allowed_edges(manifests: &[Value]) -> Edges {
    let mut edges = Edges::new();
    for policy in of_kind(manifests, &["NetworkPolicy"]) {
        let name = policy["metadata"]["name"].as_str().expect("a name");
        for (rules, way, ends) in [("ingress", "in", "from"), ("egress", "out", "to")] {
            for rule in policy["spec"][rules].as_array().into_iter().flatten() {
                let others =
                    rule[ends].as_array().map_or_else(|| vec!["any".to_owned()], |ends| ends.iter().map(end).collect());
                let ports = rule["ports"].as_array().unwrap_or_else(|| panic!("{name} allows all ports: {rule}"));
                for (other, port) in others.iter().flat_map(|other| ports.iter().map(move |port| (other, port))) {
                    edges.insert([name.to_owned(), way.to_owned(), other.clone(), port_of(port)]);
                }
            }
        }
    }
    edges
}

fn end(peer: &Value) -> String {
    let peer = peer.as_object().filter(|peer| peer.len() == 1).expect("one way to say who it is");
    let selector = peer["namespaceSelector"]["matchLabels"].as_object().expect("labels of namespaces");
    let labels = selector.iter().map(|(name, value)| format!("{name}={}", value.as_str().expect("text")));
    format!("namespaces with {}", labels.collect::<Vec<_>>().join(" "))
}

fn port_of(port: &Value) -> String {
    assert!(port["endPort"].is_null(), "{port}");
    match port["port"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("{}/{}", port["port"].as_u64().expect("a port"), port["protocol"].as_str().unwrap_or("TCP")),
    }
}

#[test]
fn everything_is_denied_but_the_connections_that_the_readme_lists() {
    let manifests = manifests();
    let policies: Vec<_> = of_kind(&manifests, &["NetworkPolicy"]).collect();
    for policy in &policies {
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{policy}");
    }
    let deny = policies.iter().find(|policy| policy["metadata"]["name"] == DEFAULT_DENY).expect("a default");
    assert_eq!(deny["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    // The overlay puts all of it into one namespace, or a pod would be out of the default's reach.
    let outside: Vec<_> = manifests.iter().filter(|manifest| manifest["kind"] != "Namespace").collect();
    assert!(outside.iter().all(|manifest| manifest["metadata"]["namespace"] == "alexandrite"));

    let (documented, allowed) = (documented_edges(), allowed_edges(&manifests));
    let missing: Vec<_> = documented.difference(&allowed).collect();
    let surplus: Vec<_> = allowed.difference(&documented).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "only in the README: {missing:?}, only allowed: {surplus:?}");
    let with_edges: BTreeSet<_> = allowed.iter().map(|[pod, ..]| pod.as_str()).collect();
    assert_eq!(with_edges, pods(&manifests).into_iter().map(|(name, _)| name).collect());
}
