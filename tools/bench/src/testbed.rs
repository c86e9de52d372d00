//! The real servers that are measured, with nothing beside them.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use local::{Kind, Options, System, SystemFile};

/// A running system whose data is on the disk as that of any other: a commit is on the disk before it is answered.
pub(crate) struct Stage {
    system: Arc<System>,
}

impl Stage {
    /// Starts these parts and what they need.
    pub(crate) async fn start(only: &[Kind]) -> Result<Self> {
        Self::with(only, &[]).await
    }

    /// The same with settings for the services.
    pub(crate) async fn with(only: &[Kind], settings: &[(&str, &str)]) -> Result<Self> {
        let data = std::env::current_exe()?.with_file_name("bench-system");
        let _ = fs::remove_dir_all(&data);
        // All clients come from one address.
        let unlimited = ["LOGIN_BURST", "LOGINS_PER_SECOND"].map(|name| (name, "1000000"));
        let settings = unlimited.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Options { only: only.to_vec(), data: Some(data), settings: settings.collect() };
        let system = tokio::task::spawn_blocking(move || System::start(&options)).await??;
        Ok(Self { system: Arc::new(system) })
    }

    /// Where everything is.
    pub(crate) fn file(&self) -> &SystemFile {
        self.system.file()
    }

    /// The process of a part.
    pub(crate) fn pid(&self, part: &str) -> Result<i32> {
        self.system.pid(part)
    }

    /// The shop's database as its owner.
    pub(crate) fn shop_database(&self) -> Result<&str> {
        Ok(&self.file().databases.as_ref().context("PostgreSQL runs")?.shop)
    }

    /// The MES's database as its owner.
    pub(crate) fn mes_database(&self) -> Result<&str> {
        Ok(&self.file().databases.as_ref().context("PostgreSQL runs")?.mes)
    }

    /// A folder for what is written while measuring, outside of what the shipper reads.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.system.data().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Stops the system and removes its data.
    pub(crate) async fn stop(self) -> Result<()> {
        let system = self.system;
        let stopping = Arc::clone(&system);
        tokio::task::spawn_blocking(move || stopping.stop()).await??;
        remove_data(&system)
    }
}

/// Removes what a stopped system leaves: its data folder, and where its parts' user can't get to that, the parts' own.
pub(crate) fn remove_data(system: &System) -> Result<()> {
    let parts = system.file().logs.parent().filter(|parts| *parts != system.data());
    parts
        .into_iter()
        .chain([system.data()])
        .try_for_each(fs::remove_dir_all)
        .context("removing the measured system's data")
}
