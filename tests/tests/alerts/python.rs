//! A Python of the tests' own, with what `elk/alerts/requirements.txt` names.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the alerts' configuration.
pub(crate) fn alerts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../elk/alerts").canonicalize().expect("the folder of the alerts")
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
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        let mut pip = Command::new(environment.join("bin/python"));
        run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements));
        fs::write(installed, wanted).expect("a note of what is installed");
    }
    environment.join("bin")
}

fn run(command: &mut Command) {
    let output = command.output().expect("Python 3.11 or newer is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
