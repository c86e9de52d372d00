//! A further CRM with other settings than the running one.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use catalogue::Service;
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::clients::api::PATIENCE;
use crate::host::os_user::OsUser;
use crate::host::process::{Child, POLL};
use crate::host::secret;
use crate::parts::services::replica_command;
use crate::system::system_file::SystemFile;

const SERVICE: &str = Service::CrmApi.name();

/// The replica's process. It ends when this value is dropped.
pub(super) struct Replica {
    child: Child,
    /// What it reads at its start.
    deadlines: Option<PathBuf>,
    log: PathBuf,
}

impl Replica {
    /// Starts one with these deadlines, which reports an order at once and not after 45 minutes.
    pub(super) fn impatient(system: &SystemFile, deadlines: &str) -> Result<Self> {
        let name = format!("{SERVICE}-impatient-{}", &secret::random()?[..8]);
        let file = system.logs.join(format!("{name}.toml"));
        // The user that runs the CRM has to read it.
        OsUser::owner_of(&system.logs)?.write_file(&file, deadlines)?;
        let settings = [("DEADLINES_FILE", file.as_os_str()), ("STUCK_CHECK_SECONDS", OsStr::new("1"))];
        let mut replica = Self::start(system, &name, settings)?;
        replica.deadlines = Some(file);
        Ok(replica)
    }

    /// Starts one that writes everything that its libraries can say.
    pub(super) fn verbose(system: &SystemFile) -> Result<Self> {
        let name = format!("{SERVICE}-verbose-{}", &secret::random()?[..8]);
        Self::start(system, &name, [("RUST_LOG", OsStr::new("trace"))])
    }

    /// Starts one with these settings. Its log is in the folder that the shipper follows.
    fn start<'a>(
        system: &SystemFile,
        name: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
    ) -> Result<Self> {
        let missing = "the running system has no CRM";
        let (binary, environment) =
            system.binaries.get(SERVICE).zip(system.environments.get(SERVICE)).context(missing)?;
        let log = system.logs.join(format!("{name}.log"));
        let command = replica_command(binary, environment, &log);
        let mut command = Command::from(command.with_context(|| format!("preparing {name}"))?);
        command.env("LISTEN_ADDR", "127.0.0.1:0").env("METRICS_ADDR", "").envs(settings);
        let child = Child::start(&mut command, Signal::SIGKILL)?;
        Ok(Self { child, deadlines: None, log })
    }

    /// Waits until it has reported this order as stuck.
    pub(super) async fn wait_for_report(&mut self, order: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let (event, order) = (r#""event.action":"order.stuck""#, format!(r#""order.id":"{order}""#));
        loop {
            let log = fs::read_to_string(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
            if log.lines().any(|line| line.contains(event) && line.contains(&order)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the further CRM has not reported the order; its log: {}", self.log.display());
            }
            tokio::select! {
                how = self.child.wait() => bail!("the further CRM ended ({how}); its log: {}", self.log.display()),
                () = tokio::time::sleep(POLL * 4) => {}
            }
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(deadlines) = &self.deadlines {
            let _ = fs::remove_file(deadlines);
        }
    }
}
