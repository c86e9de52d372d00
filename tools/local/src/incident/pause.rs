//! A paused service, as if its machine hung: the process neither works nor ends, so that it isn't restarted.

use anyhow::{Context as _, Result};
use catalogue::Service;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::system::system_file::SystemFile;

/// A process that got SIGSTOP. It gets SIGCONT when this value is dropped.
pub(super) struct Paused(Pid);

impl Paused {
    pub(super) fn service(system: &SystemFile, service: Service) -> Result<Self> {
        let pid = Pid::from_raw(system.pid(service.name())?);
        kill(pid, Signal::SIGSTOP).with_context(|| format!("stopping {service}, process {pid}"))?;
        Ok(Self(pid))
    }

    pub(super) const fn pid(&self) -> Pid {
        self.0
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // The system may have been stopped meanwhile.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
