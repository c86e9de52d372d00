//! What the parts have in common.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use tokio::net::TcpStream;

use crate::host::folders::Folders;
use crate::host::os_user::Owner;

/// What `--only` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Both databases.
    Postgres,
    /// The message broker.
    Rabbitmq,
    /// The search engine for the logs.
    Elasticsearch,
    /// What ships the logs to Elasticsearch, which it needs.
    Shipper,
    /// Our three services; they need PostgreSQL and RabbitMQ.
    Services,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Rabbitmq, Self::Elasticsearch, Self::Shipper, Self::Services];

    /// What this part can't run without.
    #[must_use]
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Postgres | Self::Rabbitmq | Self::Elasticsearch => &[],
            Self::Shipper => &[Self::Elasticsearch],
            Self::Services => &[Self::Postgres, Self::Rabbitmq],
        }
    }

    /// These parts and all that they need; none named stands for all.
    #[must_use]
    pub fn with_needs(kinds: &[Self]) -> Vec<Self> {
        let kinds = if kinds.is_empty() { &Self::ALL } else { kinds };
        let mut all: Vec<Self> = kinds.iter().flat_map(|kind| kind.needs().iter().chain([kind]).copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
            Self::Elasticsearch => "elasticsearch",
            Self::Shipper => "shipper",
            Self::Services => "services",
        }
    }
}

/// What the parts' files and processes have in common.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) folders: Folders,
    pub(crate) owner: Owner,
}

/// Finds a program in `PATH` or where system administration tools are, which isn't in everybody's `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Connects to a port of this machine.
pub(crate) async fn connect(port: u16) -> Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", port)).await.with_context(|| format!("nothing listens on port {port}"))
}
