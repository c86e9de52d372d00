//! Processor time and memory of a process, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// The processor time that a process has used so far, without its children's.
pub(crate) fn cpu(pid: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process doesn't run")?;
    // The name, in brackets, may have spaces; user and system time are the 12th and 13th field after it (proc(5)).
    let (_, fields) = stat.rsplit_once(')').context("no name in brackets")?;
    let ticks = |place: usize| -> Result<u64> {
        fields.split_whitespace().nth(place).and_then(|ticks| ticks.parse().ok()).context("no number of ticks")
    };
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick rate")?;
    Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) as f64 / per_second as f64))
}

/// A size in `/proc/PID/status`, as in [`testkit::memory`], but in MiB.
pub(crate) fn memory(pid: i32, field: &str) -> Result<f64> {
    let kibibytes = testkit::memory(pid, field).with_context(|| format!("no {field} of the process {pid}"))?;
    Ok(kibibytes as f64 / 1024.0)
}
