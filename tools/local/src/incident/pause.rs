//! A paused part, as if its machine hung: the process neither works nor ends, so that it isn't restarted.

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::system::system_file::SystemFile;

/// A process that got SIGSTOP. It gets SIGCONT when this value is dropped.
pub(super) struct Paused(Pid);

impl Paused {
    /// Pauses the part of this name, such as `mes-api`, `shipper` or `rabbitmq`.
    pub(super) fn part(system: &SystemFile, part: &str) -> Result<Self> {
        let pid = Pid::from_raw(system.pid(part)?);
        kill(pid, Signal::SIGSTOP).with_context(|| format!("stopping {part}, process {pid}"))?;
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
