//! Memory of a process, from Linux's accounting.

use std::fs;

/// A size in `/proc/PID/status`, in KiB: `VmRSS` is the resident memory, and `VmHWM` its peak (proc(5)). None if the process
/// doesn't run.
#[must_use]
pub fn memory(pid: i32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.strip_suffix("kB"));
    size?.trim().parse().ok()
}
