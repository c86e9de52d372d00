//! What a process costs, from Linux's accounting.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// The processor time that a process has used so far, its children not included.
pub(crate) fn cpu(pid: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process runs")?;
    // The name, in brackets, may have spaces; user and system time are the 12th and 13th field after it (proc(5)).
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let ticks = |place: usize| -> Result<u64> {
        fields.split_whitespace().nth(place).and_then(|ticks| ticks.parse().ok()).context("a number of ticks")
    };
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("a clock")?;
    Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) as f64 / per_second as f64))
}

/// A process's memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    /// Resident now.
    Now,
    /// Resident at most, ever.
    Most,
}

/// So much memory a process has, in MiB.
pub(crate) fn memory(pid: i32, memory: Memory) -> Result<f64> {
    let field = match memory {
        Memory::Now => "VmRSS:",
        Memory::Most => "VmHWM:",
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process runs")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a process with memory")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}
