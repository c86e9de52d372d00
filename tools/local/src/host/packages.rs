//! Installation of Debian's packages.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;

use crate::host::package_root;
use crate::host::{files, folders, process};

/// A package that every release has, so that its absence says that apt has no lists.
const IN_ALL: &str = "maven";

/// Where Debian asks whether a package may start its services.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The policy that none may. The comment makes it another one than an administrator's.
const QUIET: &str = "#!/bin/sh\n# By alexandrite, while it installs packages.\nexit 101\n";

/// Held by the process of root that uses apt.
const LOCK: &str = "/run/lock/alexandrite-packages";
/// How long another program's `apt-get update`, such as the daily one, is waited for.
const OTHERS: Duration = Duration::from_secs(300);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Whether this process may install packages on this machine.
pub(crate) fn may_install() -> bool {
    Uid::effective().is_root() && has_apt()
}

/// Whether this is Debian, Ubuntu or another system with their packages.
pub(crate) fn has_apt() -> bool {
    files::program("apt-get").is_some()
}

/// The shell command that installs these packages.
pub(crate) fn command_for(packages: &[&str]) -> String {
    format!("apt-get update && apt-get install --yes --no-install-recommends {}", packages.join(" "))
}

/// Installs these packages by the system's lists. Their system services don't start.
pub(crate) async fn install(packages: &[&str]) -> Result<()> {
    let _quiet = QuietInstallation::begin(Path::new(POLICY))?;
    // apt refuses to go on from what Ctrl-C interrupted. If this fails, apt says why, or waits for the lock that another program
    // holds.
    let mut configure = process::command("dpkg");
    configure.args(["--configure", "-a"]).env("DEBIAN_FRONTEND", "noninteractive");
    let _ = process::run(&mut configure, Duration::from_secs(600)).await;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    Apt::default().get(&install, 30).await
}

/// apt with the lists and downloads of the system, or of a folder.
#[derive(Debug, Default)]
pub(crate) struct Apt {
    pub(super) options: Vec<OsString>,
    /// Where downloads are, if they are in a folder.
    archives: Option<PathBuf>,
}

impl Apt {
    /// One that needs no rights: its lists and downloads are in this folder. The system says what is installed.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let (state, cache) = (folder.join("state"), folder.join("cache"));
        for folder in [state.join("lists/partial"), cache.join("archives/partial")] {
            fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let mut options = vec!["-oDir::State::status=/var/lib/dpkg/status".into(), "-oDebug::NoLocking=true".into()];
        for (name, folder) in [("Dir::State", state), ("Dir::Cache", cache.clone())] {
            let mut option = OsString::from(format!("-o{name}="));
            option.push(folder);
            options.push(option);
        }
        Ok(Self { options, archives: Some(cache.join("archives")) })
    }

    /// The first of these packages that the lists have. It is the first of all where there are no lists yet.
    pub(crate) async fn first_available(&self, packages: &[&'static str]) -> Result<Option<&'static str>> {
        let mut policy = process::command("apt-cache");
        policy.arg("policy").args(packages).arg(IN_ALL).args(&self.options).env("LC_ALL", "C");
        let policy = process::run(&mut policy, Duration::from_secs(60)).await?;
        if !is_available(IN_ALL, &policy) {
            return Ok(packages.first().copied());
        }
        Ok(packages.iter().copied().find(|package| is_available(package, &policy)))
    }

    /// Renews the lists.
    pub(crate) async fn update(&self) -> Result<()> {
        let deadline = Instant::now() + OTHERS;
        loop {
            match self.get(&["update"], 10).await {
                // Unlike an installation, apt doesn't wait for this lock by itself.
                Err(error) if format!("{error:#}").contains("Could not get lock") && Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                result => return result,
            }
        }
    }

    /// Downloads these packages, with what they need and the system lacks, and returns the paths of all.
    pub(crate) async fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let archives = self.archives.as_ref().context("the system's own downloads are not asked for")?;
        let download = [&["install", "--yes", "--download-only", "--no-install-recommends"], packages].concat();
        self.get(&download, 30).await?;
        let files = fs::read_dir(archives)?.flatten().map(|item| item.path());
        Ok(files.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect())
    }

    async fn get(&self, arguments: &[&str], minutes: u64) -> Result<()> {
        let mut apt = process::command("apt-get");
        apt.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments).args(&self.options);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut apt, Duration::from_secs(60 * minutes)).await.map(drop)
    }
}

/// Whether what `apt-cache policy` says has a candidate of this package.
fn is_available(package: &str, policy: &str) -> bool {
    let mut lines = policy.lines().skip_while(|line| line.strip_suffix(':') != Some(package)).skip(1);
    let candidate = lines.find_map(|line| line.trim_start().strip_prefix("Candidate: "));
    candidate.is_some_and(|version| version != "(none)")
}

/// Waits until no other runner uses apt: one that ends lets the services of the others' packages start. The turn lasts until
/// the value is dropped.
pub(crate) async fn take_turn() -> Result<File> {
    let lock = if Uid::effective().is_root() { LOCK.into() } else { folders::packages().with_extension("lock") };
    if let Some(folder) = lock.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let open = OpenOptions::new().create(true).append(true).open(&lock);
    let file = open.with_context(|| format!("opening {}", lock.display()))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?;
    locked.with_context(|| format!("locking {}", lock.display()))
}

/// The path of a program that only tests need. Its package is installed if the program is missing and this process may
/// install packages.
///
/// # Errors
///
/// If the program is missing and can't be installed; says the command that installs it.
pub async fn provide(name: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = package_root::program(name) {
        return Ok(path);
    }
    if !may_install() {
        bail!("{name} is missing; only root may install it on Debian or Ubuntu: {}", command_for(&[package]));
    }
    let _turn = take_turn().await?;
    Apt::default().update().await?;
    install(&[package]).await?;
    files::program(name).with_context(|| format!("{package} was installed, but {name} is not found"))
}

/// Keeps packages from starting system services, until the value is dropped.
struct QuietInstallation {
    /// The file to remove in the end.
    policy: Option<PathBuf>,
}

impl QuietInstallation {
    fn begin(policy: &Path) -> Result<Self> {
        if let Ok(mut file) = OpenOptions::new().write(true).create_new(true).mode(0o755).open(policy) {
            file.write_all(QUIET.as_bytes())?;
        }
        // Another file is the administrator's decision. One of ours may be of a runner that was killed.
        let is_ours = fs::read(policy).is_ok_and(|content| content == QUIET.as_bytes());
        Ok(Self { policy: is_ours.then(|| policy.to_owned()) })
    }
}

impl Drop for QuietInstallation {
    fn drop(&mut self) {
        if let Some(policy) = &self.policy {
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_available_if_there_is_a_candidate() {
        let policy = "openjdk-21-jre-headless:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n\
                      openjdk-25-jre-headless:\n  Installed: (none)\n  Candidate: 25.0.1+8-1\n  Version table:\n";
        assert!(!is_available("openjdk-21-jre-headless", policy));
        assert!(is_available("openjdk-25-jre-headless", policy));
        assert!(!is_available("openjdk-23-jre-headless", policy));
    }

    #[test]
    fn the_policy_is_removed_also_if_a_killed_runner_left_it_and_an_administrators_stays() -> Result<()> {
        let policy = std::env::temp_dir().join(format!("alexandrite-policy-{}", std::process::id()));
        for left in [None, Some(QUIET)] {
            if let Some(left) = left {
                fs::write(&policy, left)?;
            }
            let quiet = QuietInstallation::begin(&policy)?;
            assert_eq!(fs::read_to_string(&policy)?, QUIET);
            drop(quiet);
            assert!(!policy.exists(), "{left:?}");
        }
        let of_administrator = "#!/bin/sh\nexit 101\n";
        fs::write(&policy, of_administrator)?;
        drop(QuietInstallation::begin(&policy)?);
        assert_eq!(fs::read_to_string(&policy)?, of_administrator);
        Ok(fs::remove_file(&policy)?)
    }
}
