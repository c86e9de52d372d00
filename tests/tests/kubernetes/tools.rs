//! The tools that render and check manifests, in pinned versions; they come into `target/tools` with the first run.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
    thread,
};

use local::test_programs::{self, OLDEST_PYTHON, python_packages};
use serde_json::Value;

const KUSTOMIZE: &str = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2";
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubernetes/requirements.txt");

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Programs, made when they are first needed.
struct Tools {
    kustomize: PathBuf,
    python: PathBuf,
}

static TOOLS: LazyLock<Tools> = LazyLock::new(|| {
    thread::scope(|scope| {
        let python = scope.spawn(|| {
            let packages =
                python_packages(&workspace().join("target/tools/kubernetes"), Path::new(REQUIREMENTS), OLDEST_PYTHON);
            packages.expect("Kubernetes' schemas").join("python")
        });
        Tools { kustomize: kustomize(), python: python.join().expect("no panic") }
    })
});

/// In a folder whose name has its version.
fn kustomize() -> PathBuf {
    let folder = workspace().join("target/tools").join(KUSTOMIZE.replace(['/', '@'], "-"));
    if !folder.exists() {
        // Made beside its place: a folder that is there is whole.
        let fresh = folder.with_added_extension(std::process::id().to_string());
        let go = test_programs::go().expect("there is Go");
        // Optimised code would take longer to compile than it saves.
        run(Command::new(go).args(["install", "-gcflags=all=-N -l", KUSTOMIZE]).env("GOBIN", &fresh), "");
        // Another process may have been faster.
        let _ = fs::rename(&fresh, &folder).or_else(|_| fs::remove_dir_all(&fresh));
    }
    folder.join("kustomize")
}

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

/// The example of an installation, as YAML.
pub(crate) fn rendered() -> String {
    run(Command::new(&TOOLS.kustomize).arg("build").arg(workspace().join("deploy/kubernetes/example")), "")
}

/// The example's manifests.
pub(crate) fn manifests() -> Vec<Value> {
    let to_json = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let json = run(Command::new(&TOOLS.python).args(["-c", to_json]), &rendered());
    serde_json::from_str(&json).expect("JSON")
}

/// Whether these manifests keep to the schemas of this version, down to fields that it doesn't know.
pub(crate) fn keeps_to_the_schemas(manifests: &str, version: &str) -> bool {
    let mut file = std::env::temp_dir();
    file.push(format!("manifests-{}.yaml", uuid::Uuid::now_v7().simple()));
    fs::write(&file, manifests).expect("a file");
    let mut validate = Command::new(&TOOLS.python);
    validate.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]).arg(&file);
    let output = try_run(&mut validate, "");
    fs::remove_file(&file).expect("the file is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("deployment/shop-api"), "nothing was looked at: {said}");
    eprintln!("{said}");
    output.status.success()
}

/// The manifests of these kinds.
pub(crate) fn of_kind<'a>(manifests: &'a [Value], kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    manifests.iter().filter(|manifest| kinds.iter().any(|kind| manifest["kind"] == *kind))
}
