//! A service that stands still, as if its machine hung: its process neither works nor ends, so nobody starts it again.

use std::fs;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::system::system_file::SystemFile;

/// Goes on when this is dropped.
pub(super) struct Halted(Pid);

impl Halted {
    pub(super) fn service(system: &SystemFile, name: &str) -> Result<Self> {
        let path = system.pid_files.get(name).with_context(|| format!("the running system has no {name}"))?;
        let content = fs::read_to_string(path).with_context(|| format!("{name} is not running"))?;
        let pid = content.split_whitespace().next().and_then(|pid| pid.parse().ok());
        let pid = Pid::from_raw(pid.with_context(|| format!("no process id in {}", path.display()))?);
        kill(pid, Signal::SIGSTOP).with_context(|| format!("stopping {name}, process {pid}"))?;
        Ok(Self(pid))
    }

    pub(super) const fn pid(&self) -> Pid {
        self.0
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        // The system may have been stopped meanwhile.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
