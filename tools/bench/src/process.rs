//! Processor time and memory of a process, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// The processor time that a process has used so far, without its children's.
pub(crate) fn cpu(pid: i32) -> Result<Duration> {
    ticks(pid, &[USER, SYSTEM])
}

/// The same, with that of its children that have ended.
pub(crate) fn cpu_with_ended_children(pid: i32) -> Result<Duration> {
    ticks(pid, &[USER, SYSTEM, USER_OF_CHILDREN, SYSTEM_OF_CHILDREN])
}

/// The places of times among the fields of `/proc/PID/stat` after the name (proc(5)).
const USER: usize = 11;
const SYSTEM: usize = 12;
const USER_OF_CHILDREN: usize = 13;
const SYSTEM_OF_CHILDREN: usize = 14;

/// The sum of times.
fn ticks(pid: i32, places: &[usize]) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process doesn't run")?;
    // The name, in brackets, may have spaces.
    let (_, fields) = stat.rsplit_once(')').context("no name in brackets")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |place: &usize| fields.get(*place).and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks: u64 = places.iter().map(ticks).sum::<Option<u64>>().context("no number of ticks")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick rate")?;
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// A size in `/proc/PID/status`, as in [`testkit::memory`], but in MiB.
pub(crate) fn memory(pid: i32, field: &str) -> Result<f64> {
    let kibibytes = testkit::memory(pid, field).with_context(|| format!("no {field} of the process {pid}"))?;
    Ok(kibibytes as f64 / 1024.0)
}
