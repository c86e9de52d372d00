//! The running system that is measured.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use local::{Databases, Kind, Options, System, SystemFile};
use testkit::Client;

/// A system on fresh data, as durable as in production: PostgreSQL syncs each commit to the disk.
pub(crate) struct Testbed {
    system: System,
}

impl Testbed {
    /// Starts these parts and what they need, with settings for all services.
    pub(crate) fn start(only: &[Kind], settings: &[(&str, &str)]) -> Result<Self> {
        let data = std::env::current_exe()?.with_file_name("bench-system");
        let _ = fs::remove_dir_all(&data);
        // Logins are limited by address, and all clients have the same one.
        let unlimited = ["LOGIN_BURST", "LOGINS_PER_SECOND"].map(|name| (name, "1000000"));
        let settings = unlimited.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options =
            Options { only: only.to_vec(), data: Some(data), settings: settings.collect(), ..Options::default() };
        Ok(Self { system: tokio::task::block_in_place(|| System::start(&options))? })
    }

    /// Addresses, accounts and folders of the system.
    pub(crate) fn file(&self) -> &SystemFile {
        self.system.file()
    }

    /// The process id of a part.
    pub(crate) fn pid(&self, part: &str) -> Result<i32> {
        self.system.pid(part)
    }

    /// The process ids of a part and of what it has started.
    pub(crate) fn pids(&self, part: &str) -> Result<Vec<i32>> {
        self.system.pids(part)
    }

    /// A client of the shop.
    pub(crate) fn shop(&self) -> Result<Client> {
        Ok(Client::new(self.file().shop_api.as_deref().context("the shop doesn't run")?))
    }

    /// The program of a service, and its environment.
    pub(crate) fn program(&self, service: Service) -> Result<(&Path, &BTreeMap<String, String>)> {
        let SystemFile { binaries, environments, .. } = self.file();
        let program = binaries.get(service.name()).zip(environments.get(service.name()));
        program.map(|(program, environment)| (program.as_path(), environment)).context("the services don't run")
    }

    /// The databases, each as its owner.
    pub(crate) fn databases(&self) -> Result<&Databases> {
        self.file().running_databases()
    }

    /// A folder for files of a measurement; the shipper doesn't read it.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.system.data().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Stops the system and removes its data.
    pub(crate) fn stop(self) -> Result<()> {
        tokio::task::block_in_place(|| self.system.stop())?;
        remove_data(&self.system)
    }
}

/// Removes the data folder of a stopped system and, if the parts run as a user without access to it, the parts' folder.
pub(crate) fn remove_data(system: &System) -> Result<()> {
    let parts = system.file().logs.parent().filter(|parts| *parts != system.data());
    parts
        .into_iter()
        .chain([system.data()])
        .try_for_each(fs::remove_dir_all)
        .context("removing the measured system's data")
}
