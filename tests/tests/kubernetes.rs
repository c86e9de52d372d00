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

use serde_json::Value;

const KUSTOMIZE: &str = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2";
const SCHEMAS: &str = "kubernetes-validate==1.37.0";
/// The oldest Kubernetes that has all that the manifests ask for, and the newest that there is.
const VERSIONS: [&str; 2] = ["1.30.0", "1.37.0"];

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
        run(Command::new("go").args(["install", KUSTOMIZE]).env("GOBIN", &fresh), "");
        run(Command::new("python3").args(["-m", "venv"]).arg(&fresh), "");
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
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; these tests need Go and Python 3"));
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
