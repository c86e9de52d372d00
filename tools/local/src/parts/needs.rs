//! What the parts need from this machine: whether it is installed, and which packages install it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::host::{files::program, folders::Folders, packages};
use crate::parts::{distribution::Distribution, elasticsearch, java, kind::Kind, postgres_programs, rabbitmq, shipper};
use crate::terminal::progress::Progress;

/// Something that has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    Rabbitmq,
    Rsyslog,
    Maven,
    Java,
    /// For tests of pages; no part needs it.
    Browser,
}

impl Need {
    /// What parts need.
    pub(crate) const ALL: [Self; 4] = [Self::Rabbitmq, Self::Rsyslog, Self::Maven, Self::Java];

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
        }
    }

    /// The version and the path of the installed one, if any.
    pub(crate) fn found(self) -> Option<String> {
        let described = |version: &str, path: &Path| format!("{version} in {}", path.display());
        match self {
            Self::Rabbitmq => rabbitmq::installed().map(|(script, version)| described(&version, &script)),
            Self::Rsyslog => shipper::installed().map(|program| program.display().to_string()),
            Self::Maven => program("mvn").map(|program| program.display().to_string()),
            Self::Browser => {
                program("chromium").and(program("chromedriver")).map(|program| program.display().to_string())
            }
            Self::Java => java::find(|_| true).map(|java| described(&java.version.to_string(), &java.home)),
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
        }
    }
}

/// The shell command that installs these.
///
/// # Errors
///
/// This system has no package for one of them; says what to do.
pub(crate) async fn command_for(needs: &[Need]) -> Result<String> {
    Ok(packages::command_for(&packages_of(needs).await?))
}

async fn packages_of(needs: &[Need]) -> Result<Vec<&'static str>> {
    let mut wanted: Vec<_> = needs.iter().flat_map(|need| need.packages()).copied().collect();
    if needs.contains(&Need::Java) && packages::has_apt() {
        let java = packages::first_available(&java::PACKAGES).await?.context(java::NO_PACKAGE)?;
        wanted.retain(|package| *package != java::PACKAGES[0]);
        wanted.push(java);
    }
    Ok(wanted)
}

/// Installs what is missing, or nothing if a part of it has no package. The error contains the command to run if this
/// process may not install packages.
pub(crate) async fn ensure(needs: &[Need], progress: &Progress) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| need.found().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ");
    if !packages::may_install() {
        let command = command_for(&missing).await?;
        bail!("{names} is missing, and only root may install it on Debian or Ubuntu:\n\n    sudo sh -c '{command}'\n");
    }
    let line = progress.line("packages");
    line.now(format!("installing {names}"));
    packages::update().await?;
    packages::install(&packages_of(&missing).await?).await?;
    if let Some(need) = missing.iter().find(|need| need.found().is_none()) {
        bail!("{} was installed, but is not found", need.name());
    }
    line.done("installed");
    Ok(())
}
