//! Packages of Python, each set in an environment of its own.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::provide::provide;
use crate::parts::needs::{Need, python_runs};

/// The oldest Python that the tests' own programs run with: that of Debian 12.
pub const OLDEST_PYTHON: (u8, u8) = (3, 11);

/// The folder of programs, `python` among them, of an environment in `folder` that has the packages of the file
/// `requirements`. Its Python is of the version `oldest` or a newer one, which uv downloads if this machine has none.
///
/// It is made when it is first asked for, and again when the file has changed. Who asks meanwhile waits.
///
/// # Errors
///
/// Python is missing and can't be installed, or a package can't.
pub fn python_packages(folder: &Path, requirements: &Path, oldest: (u8, u8)) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| format!("reading {}", requirements.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let environment = folder.join("python");
    // Inside, so that it is never there without what it says.
    let (programs, installed) = (environment.join("bin"), environment.join("installed.txt"));
    if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        let any = provide(Need::Python, "python3")?;
        match python_since(oldest) {
            Some(python) => make(&python, &environment)?,
            None => download(&any, oldest, &folder.join("uv"), &environment)?,
        }
        install(&programs, [OsStr::new("-r"), requirements.as_os_str()])?;
        fs::write(installed, wanted)?;
    }
    Ok(programs)
}

/// A Python of this machine that is new enough: the one in `PATH`, one of its version's name, or one of pyenv's.
fn python_since((major, minor): (u8, u8)) -> Option<PathBuf> {
    let named = ["python3", "python3.14", "python3.13", "python3.12"].map(PathBuf::from);
    let pyenv = env::home_dir().unwrap_or_default().join(".pyenv/versions");
    let versions =
        fs::read_dir(pyenv).into_iter().flatten().flatten().map(|version| version.path().join("bin/python3"));
    let is_new = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    named.into_iter().chain(versions).find(|python| python_runs(python, &is_new))
}

/// Makes an environment with a Python that uv downloads.
fn download(python: &Path, (major, minor): (u8, u8), uv: &Path, environment: &Path) -> Result<()> {
    make(python, uv)?;
    install(&uv.join("bin"), [OsStr::new("uv")])?;
    let version = format!(">={major}.{minor}");
    let mut venv = Command::new(uv.join("bin/uv"));
    run(venv.args(["venv", "--quiet", "--clear", "--seed", "--python", &version]).arg(environment))
}

fn make(python: &Path, environment: &Path) -> Result<()> {
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(environment))
}

fn install<'a>(programs: &Path, packages: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
    let mut pip = Command::new(programs.join("python"));
    // Some packages have thousands of modules, few of which are imported: those are compiled then.
    run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]).args(packages))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
