//! What the parts need from this machine: whether it is there, and which packages have it.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::host::package_root::{PackageRoot, program};
use crate::host::packages::{self, Apt};
use crate::host::{folders::Folders, unpacking};
use crate::parts::{distribution::Distribution, elasticsearch, java, kind::Kind, postgres_programs, rabbitmq, shipper};
use crate::terminal::progress::Progress;

/// Something that has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    Rabbitmq,
    Rsyslog,
    Maven,
    Java,
    // No part needs these, but tests do.
    Browser,
    Python,
    Go,
    Npm,
    Haproxy,
    Openssl,
    Pip,
    Prometheus,
    Faketime,
}

impl Need {
    /// What parts need.
    pub(crate) const ALL: [Self; 4] = [Self::Rabbitmq, Self::Rsyslog, Self::Maven, Self::Java];
    /// What only tests need. It isn't unpacked, as it has more ties to its place than parts have.
    const OF_TESTS: [Self; 9] = [
        Self::Browser,
        Self::Python,
        Self::Go,
        Self::Npm,
        Self::Haproxy,
        Self::Openssl,
        Self::Pip,
        Self::Prometheus,
        Self::Faketime,
    ];

    /// What these parts need. Maven is needed until it has downloaded their distributions.
    pub(crate) fn of(kinds: &[Kind], folders: &Folders) -> Vec<Self> {
        let downloaded = |distribution: &Distribution| distribution.content(&folders.shared).exists();
        let of_kind = |kind: &Kind| match kind {
            Kind::Postgres if postgres_programs::server().is_ok_and(|server| downloaded(&server)) => Vec::new(),
            Kind::Postgres => vec![Self::Maven],
            Kind::Rabbitmq => vec![Self::Rabbitmq],
            Kind::Shipper => vec![Self::Rsyslog],
            Kind::Elasticsearch if downloaded(&elasticsearch::distribution()) => vec![Self::Java],
            Kind::Elasticsearch => vec![Self::Java, Self::Maven],
            Kind::Services | Kind::SupportWeb => Vec::new(),
        };
        let all: BTreeSet<Self> = kinds.iter().flat_map(of_kind).collect();
        all.into_iter().collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "RabbitMQ",
            Self::Rsyslog => "rsyslog with its Elasticsearch module",
            Self::Maven => "Maven",
            Self::Java => "Java 21 or newer",
            Self::Browser => "Chromium with its driver",
            Self::Python => "Python with its module venv",
            Self::Go => "Go",
            Self::Npm => "npm",
            Self::Haproxy => "HAProxy",
            Self::Openssl => "OpenSSL",
            Self::Pip => "pip",
            Self::Prometheus => "Prometheus",
            Self::Faketime => "libfaketime",
        }
    }

    /// The version and the path of what is there, if any.
    pub(crate) fn found(self) -> Option<String> {
        let described = |version: &str, path: &Path| format!("{version} in {}", path.display());
        let in_path = |name: &str| program(name).map(|program| program.display().to_string());
        match self {
            Self::Rabbitmq => rabbitmq::installed().map(|found| described(&found.version, &found.script)),
            Self::Rsyslog => shipper::installed().map(|(_, program)| program.display().to_string()),
            Self::Maven => in_path("mvn"),
            Self::Browser => in_path("chromium").and(in_path("chromedriver")),
            Self::Python => python().map(|program| program.display().to_string()),
            Self::Go => in_path("go"),
            Self::Npm => in_path("npm"),
            Self::Haproxy => in_path("haproxy"),
            Self::Openssl => in_path("openssl"),
            Self::Pip => in_path("pip3"),
            Self::Prometheus => in_path("prometheus"),
            Self::Faketime => faketime().map(|library| library.display().to_string()),
            Self::Java => {
                java::find(java::MINIMUM, |_| true).map(|java| described(&java.version.to_string(), &java.home))
            }
        }
    }

    /// Debian's packages for it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Rabbitmq => &["rabbitmq-server"],
            Self::Rsyslog => &["rsyslog", "rsyslog-elasticsearch"],
            Self::Maven => &["maven"],
            Self::Java => &java::PACKAGES[..1],
            // `chromium-browser` in Ubuntu is a snap.
            Self::Browser => &["chromium", "chromium-driver"],
            Self::Python => &["python3-venv"],
            Self::Go => &["golang-go"],
            Self::Npm => &["npm"],
            Self::Haproxy => &["haproxy"],
            Self::Openssl => &["openssl"],
            Self::Pip => &["python3-pip"],
            Self::Prometheus => &["prometheus"],
            Self::Faketime => &["libfaketime"],
        }
    }
}

/// A Python that can make environments.
fn python() -> Option<PathBuf> {
    program("python3").filter(|python| python_runs(python, "import ensurepip, venv"))
}

/// Whether this Python runs the statements without an error.
pub(crate) fn python_runs(python: &Path, statements: &str) -> bool {
    let output = Command::new(python).args(["-c", statements]).output();
    output.is_ok_and(|output| output.status.success())
}

/// The library that sets the clock of a program with threads.
pub(crate) fn faketime() -> Option<PathBuf> {
    let path = format!("usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", env::consts::ARCH);
    Some(PackageRoot::system().path(&path)).filter(|library| library.is_file())
}

/// How `cargo run` gets this.
///
/// # Errors
///
/// It can't; says what to do.
pub(crate) async fn remedy(need: Need) -> Result<&'static str> {
    let way = way(&[need])?;
    packages_of(&[need], &Apt::default()).await.map(|_| way)
}

fn way(needs: &[Need]) -> Result<&'static str> {
    ensure!(packages::has_apt(), "{} is missing, and is installed by itself on Debian and Ubuntu only", names(needs));
    if packages::may_install() {
        return Ok("`cargo run` installs it");
    }
    if needs.iter().any(|need| Need::OF_TESTS.contains(need)) {
        // All at once, instead of one after another as the tests come to it.
        let packages: Vec<_> = missing(&Need::OF_TESTS).iter().flat_map(|need| need.packages()).copied().collect();
        let command = packages::command_for(&packages);
        bail!("{} is missing, and only root may install it:\n\n    sudo sh -c '{command}'\n", names(needs));
    }
    Ok("`cargo run` unpacks it below target")
}

async fn packages_of(needs: &[Need], apt: &Apt) -> Result<Vec<&'static str>> {
    let mut wanted: Vec<_> = needs.iter().flat_map(|need| need.packages()).copied().collect();
    if needs.contains(&Need::Java) && packages::has_apt() {
        let java = apt.first_available(&java::PACKAGES).await?.context(java::NO_PACKAGE)?;
        wanted.retain(|package| *package != java::PACKAGES[0]);
        wanted.push(java);
    }
    Ok(wanted)
}

fn names(needs: &[Need]) -> String {
    needs.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ")
}

fn missing(needs: &[Need]) -> Vec<Need> {
    needs.iter().copied().filter(|need| need.found().is_none()).collect()
}

/// Gets what is missing, or nothing if a part of it has no package: root installs it, another user gets it unpacked.
///
/// # Errors
///
/// It can't be had, which says what to do; or it was got, and isn't found.
pub(crate) async fn ensure(needs: &[Need], progress: &Progress) -> Result<()> {
    if missing(needs).is_empty() {
        return Ok(());
    }
    let line = progress.line("packages");
    line.now("waiting for another process that uses apt");
    let _turn = packages::take_turn().await?;
    // That one may have got it.
    let missing = missing(needs);
    if missing.is_empty() {
        line.done("there");
        return Ok(());
    }
    way(&missing)?;
    line.now(format!("getting {}", names(&missing)));
    if packages::may_install() {
        let apt = Apt::default();
        apt.update().await?;
        packages::install(&packages_of(&missing, &apt).await?).await?;
    } else {
        let apt = unpacking::apt()?;
        apt.update().await?;
        unpacking::unpack(&apt, &packages_of(&missing, &apt).await?).await?;
    }
    if let Some(need) = self::missing(&missing).first() {
        bail!("{} was got, but is not found", need.name());
    }
    line.done(format!("got {}", names(&missing)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::folders::workspace;

    #[test]
    fn the_readme_has_all_packages_that_only_tests_need() {
        let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
        let command = "apt-get install --no-install-recommends ";
        let listed = readme.lines().find_map(|line| line.strip_prefix(command)).unwrap();
        let mut needed: Vec<_> = Need::OF_TESTS.iter().flat_map(|need| need.packages()).copied().collect();
        needed.sort_unstable();
        assert_eq!(listed.split(' ').collect::<Vec<_>>(), needed);
    }
}
