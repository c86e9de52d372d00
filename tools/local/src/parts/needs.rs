//! What the system needs from this machine, and how to get it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::host::folders::Folders;
use crate::host::process;
use crate::parts::kind::{Kind, program};
use crate::parts::{elasticsearch, postgres, rabbitmq, shipper};
use crate::terminal::progress::Line;

/// Something that has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Postgres,
    Rabbitmq,
    Rsyslog,
    Maven,
    Java,
}

impl Need {
    pub(crate) const ALL: [Self; 5] = [Self::Postgres, Self::Rabbitmq, Self::Rsyslog, Self::Maven, Self::Java];

    /// What these parts need. Maven is needed until it has fetched Elasticsearch's distribution.
    pub(crate) fn of(kinds: &[Kind], folders: &Folders) -> Vec<Self> {
        let fetched = elasticsearch::distribution_folder(folders).exists();
        let of_kind = |kind: &Kind| match kind {
            Kind::Postgres => vec![Self::Postgres],
            Kind::Rabbitmq => vec![Self::Rabbitmq],
            Kind::Shipper => vec![Self::Rsyslog],
            Kind::Elasticsearch if fetched => vec![Self::Java],
            Kind::Elasticsearch => vec![Self::Java, Self::Maven],
            Kind::Services => Vec::new(),
        };
        kinds.iter().flat_map(of_kind).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Rabbitmq => "RabbitMQ",
            Self::Rsyslog => "rsyslog with its Elasticsearch module",
            Self::Maven => "Maven",
            Self::Java => "Java 21 or newer",
        }
    }

    /// Which one is there, if any.
    pub(crate) fn found(self) -> Option<String> {
        match self {
            Self::Postgres => postgres::installed().map(|(folder, version)| described(&version, &folder)),
            Self::Rabbitmq => rabbitmq::installed().map(|(script, version)| described(&version, &script)),
            Self::Rsyslog => shipper::installed().map(|program| program.display().to_string()),
            Self::Maven => program("mvn").map(|program| program.display().to_string()),
            Self::Java => {
                elasticsearch::find_java(|_| true).map(|java| described(&java.version.to_string(), &java.home))
            }
        }
    }

    /// Debian's packages for it.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Rabbitmq => &["rabbitmq-server"],
            Self::Rsyslog => &["rsyslog", "rsyslog-elasticsearch"],
            Self::Maven => &["maven"],
            // In Debian since 13, in Ubuntu since 22.04.
            Self::Java => &["openjdk-21-jre-headless"],
        }
    }
}

fn described(version: &str, path: &Path) -> String {
    format!("{version} in {}", path.display())
}

/// Whether this process may install packages here.
pub(crate) fn may_install() -> bool {
    Uid::effective().is_root() && program("apt-get").is_some()
}

/// The command that installs what is missing.
pub(crate) fn command_for(needs: &[Need]) -> String {
    let packages: Vec<&str> = needs.iter().flat_map(|need| need.packages()).copied().collect();
    format!("apt-get update && apt-get install --yes --no-install-recommends {}", packages.join(" "))
}

/// Installs what is missing where this is possible; says how to otherwise.
pub(crate) async fn ensure(needs: &[Need], line: &Line) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| need.found().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name()).collect();
    let (names, command) = (names.join(", "), command_for(&missing));
    if !may_install() {
        bail!("{names} is missing, and only root may install it on Debian or Ubuntu:\n\n    sudo sh -c '{command}'\n");
    }
    line.now(format!("installing {names}"));
    let _quiet = QuietInstallation::begin()?;
    let mut update = process::command("apt-get");
    update.args(["-q", "-o", "DPkg::Lock::Timeout=300", "update"]);
    process::run(&mut update, Duration::from_secs(600)).await?;
    let mut install = process::command("apt-get");
    install.args(["-q", "-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends"]);
    install.args(missing.iter().flat_map(|need| need.packages())).env("DEBIAN_FRONTEND", "noninteractive");
    process::run(&mut install, Duration::from_secs(1800)).await?;
    match missing.iter().find(|need| need.found().is_none()) {
        Some(need) => bail!("{} was installed, but is not found", need.name()),
        None => Ok(()),
    }
}

/// Keeps packages from starting system services and creating a database cluster: the runner has its own. Undone when
/// the value is dropped.
struct QuietInstallation {
    files: Vec<PathBuf>,
}

impl QuietInstallation {
    fn begin() -> Result<Self> {
        const POLICY: (&str, &str) = ("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
        const CLUSTER: (&str, &str) =
            ("/etc/postgresql-common/createcluster.d/alexandrite.conf", "create_main_cluster = false\n");
        let mut quiet = Self { files: Vec::new() };
        for (path, content) in [POLICY, CLUSTER] {
            let path = Path::new(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            // One that is there is somebody's decision.
            if let Ok(mut file) = OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
                file.write_all(content.as_bytes())?;
                quiet.files.push(path.to_owned());
            }
        }
        Ok(quiet)
    }
}

impl Drop for QuietInstallation {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}
