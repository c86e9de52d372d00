//! A Python of the tests' own, with what `elk/alerts/requirements.txt` names.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest that ElastAlert runs with.
const MINIMUM: &str = "import sys; sys.exit(sys.version_info < (3, 12))";

/// The variable that lets Python keep what it has compiled for its next start, and not beside the sources, of which some are
/// the repository's.
pub(crate) const CACHE: (&str, &str) =
    ("PYTHONPYCACHEPREFIX", concat!(env!("CARGO_TARGET_TMPDIR"), "/alerts/compiled"));

/// The folder of the alerts' configuration.
pub(crate) fn alerts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../elk/alerts").canonicalize().expect("the folder of the alerts")
}

/// How many rules there are.
pub(crate) fn rules() -> usize {
    let files = fs::read_dir(alerts().join("rules")).expect("the rules").flatten();
    files.filter(|file| file.path().extension().is_some_and(|end| end == "yaml")).count()
}

/// The folder of the programs; installed when it is first asked for, and anew when the requirements change.
pub(crate) fn programs() -> PathBuf {
    let requirements = alerts().join("requirements.txt");
    let wanted = fs::read_to_string(&requirements).expect("the requirements");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alerts");
    fs::create_dir_all(&folder).expect("a folder for Python");
    // The tests of this binary ask at the same time.
    let lock = File::create(folder.join("lock")).expect("a lock");
    lock.lock().expect("the lock");
    let (environment, installed) = (folder.join("python"), folder.join("installed.txt"));
    if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        let first = local::test_programs::python().expect("there is Python");
        match python() {
            Some(python) => run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment)),
            None => bring_python(&first, &folder.join("uv"), &environment),
        }
        let mut pip = Command::new(environment.join("bin/python"));
        // Some of what it requires has thousands of modules, few of which are imported.
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r"];
        run(pip.args(install).arg(&requirements));
        fs::write(installed, wanted).expect("a note of what is installed");
    }
    environment.join("bin")
}

/// A Python of this machine that is new enough: the one in `PATH`, one of its version's name, or one of pyenv's.
fn python() -> Option<PathBuf> {
    let named = ["python3", "python3.14", "python3.13", "python3.12"].map(PathBuf::from);
    let pyenv = env::home_dir().unwrap_or_default().join(".pyenv/versions");
    let versions =
        fs::read_dir(pyenv).into_iter().flatten().flatten().map(|version| version.path().join("bin/python3"));
    let is_new = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", MINIMUM]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    named.into_iter().chain(versions).find(is_new)
}

/// Makes an environment with a Python that uv downloads.
fn bring_python(python: &Path, uv: &Path, environment: &Path) {
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(uv));
    run(Command::new(uv.join("bin/python")).args(["-m", "pip", "install", "--quiet", "uv"]));
    let mut venv = Command::new(uv.join("bin/uv"));
    run(venv.args(["venv", "--quiet", "--clear", "--seed", "--python", "3.13"]).arg(environment));
}

fn run(command: &mut Command) {
    let output = command.output().expect("Python is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
