//! What the parts need from this machine: whether it is installed, and which packages install it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::host::{files::program, folders::Folders, packages};
use crate::parts::{elasticsearch, java, kind::Kind, postgres, rabbitmq, shipper};
use crate::terminal::progress::Progress;

/// Something that has to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Postgres,
    Rabbitmq,
    Rsyslog,
    Maven,
    Java,
    /// For tests of pages; no part needs it.
    Browser,
}

impl Need {
    /// What parts need.
    pub(crate) const ALL: [Self; 5] = [Self::Postgres, Self::Rabbitmq, Self::Rsyslog, Self::Maven, Self::Java];

    /// What these parts need. Maven is needed until it has downloaded Elasticsearch's distribution.
    pub(crate) fn of(kinds: &[Kind], folders: &Folders) -> Vec<Self> {
        let downloaded = elasticsearch::distribution_folder(folders).exists();
        let of_kind = |kind: &Kind| match kind {
            Kind::Postgres => vec![Self::Postgres],
            Kind::Rabbitmq => vec![Self::Rabbitmq],
            Kind::Shipper => vec![Self::Rsyslog],
            Kind::Elasticsearch if downloaded => vec![Self::Java],
            Kind::Elasticsearch => vec![Self::Java, Self::Maven],
            Kind::Services | Kind::SupportWeb => Vec::new(),
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
            Self::Browser => "Chromium with its driver",
        }
    }

    /// The version and the path of the installed one, if any.
    pub(crate) fn found(self) -> Option<String> {
        let described = |version: &str, path: &Path| format!("{version} in {}", path.display());
        match self {
            Self::Postgres => postgres::installed().map(|(folder, version)| described(&version, &folder)),
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
            Self::Postgres => &["postgresql"],
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
pub(crate) fn command_for(needs: &[Need]) -> String {
    packages::command_for(&packages_of(needs))
}

fn packages_of(needs: &[Need]) -> Vec<&'static str> {
    needs.iter().flat_map(|need| need.packages()).copied().collect()
}

/// Installs what is missing. The error contains the command to run if this process may not install packages.
pub(crate) async fn ensure(needs: &[Need], progress: &Progress) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| need.found().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ");
    if !packages::may_install() {
        let command = command_for(&missing);
        bail!("{names} is missing, and only root may install it on Debian or Ubuntu:\n\n    sudo sh -c '{command}'\n");
    }
    let line = progress.line("packages");
    line.now(format!("installing {names}"));
    let mut wanted = packages_of(&missing);
    if missing.contains(&Need::Java) {
        // First of all: without it, the rest would be installed in vain.
        let java = packages::first_available(&java::PACKAGES).await?.context(java::NO_PACKAGE)?;
        wanted.retain(|package| *package != java::PACKAGES[0]);
        wanted.push(java);
    }
    packages::install(&wanted).await?;
    if let Some(need) = missing.iter().find(|need| need.found().is_none()) {
        bail!("{} was installed, but is not found", need.name());
    }
    line.done("installed");
    Ok(())
}
