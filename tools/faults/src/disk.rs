//! A full disk for single processes: the kernel refuses what they write to files, and nothing else.

use std::path::Path;

use anyhow::{Result, ensure};

/// Refuses or accepts what a process writes to files from now on, if it runs. Its connections aren't concerned. Processes that it
/// starts inherit this.
pub(crate) fn set_full(pid: i32, is_full: bool) -> Result<()> {
    let process = format!("/proc/{pid}");
    // Only its own user may always limit a process; root lacks the right to it in some containers.
    let Ok(mut prlimit) = local::as_owner_of(Path::new(&process)) else { return Ok(()) };
    let limit = if is_full { "--fsize=0:unlimited" } else { "--fsize=unlimited" };
    let output = prlimit.args(["/usr/bin/prlimit", "--pid", &pid.to_string(), limit]).output()?;
    let done = output.status.success() || !Path::new(&process).exists();
    ensure!(done, "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
