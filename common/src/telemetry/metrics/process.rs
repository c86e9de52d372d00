//! What the operating system knows of this process.

use std::fs;

use catalogue::metric;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use opentelemetry::KeyValue;

use super::instruments::observe;

/// Adds the metrics of the process.
pub(super) fn register() {
    observe(&metric::CPU_TIME, || {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Vec::new() };
        let modes = [("user", usage.user_time()), ("system", usage.system_time())];
        modes.map(|(mode, time)| (seconds(time), Some(KeyValue::new(metric::CPU_MODE, mode)))).into()
    });
    observe(&metric::MEMORY, || resident_bytes().map(|bytes| (bytes, None)).into_iter().collect());
    observe(&metric::FILE_DESCRIPTORS, || {
        let open = fs::read_dir("/proc/self/fd").map(Iterator::count);
        open.map(|count| (count as f64, None)).into_iter().collect()
    });
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1e6));
    }
}
