//! What a killed runner has left running. It is ended before the next start, which needs its files and ports.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::{orphans, pid_file, process::POLL, process_table};
use crate::terminal::progress::Progress;

/// The variable by which every process of a part, and of its children, tells the folder that it works for.
pub(super) const MARK: &str = "ALEXANDRITE_PARTS";
/// The limit for processes that were killed to be gone.
const WITHIN: Duration = Duration::from_secs(30);

/// Ends the parts that work in this folder, and waits until they are gone: in order by the pid files; then what has no pid file,
/// such as the children of a part that was killed.
///
/// # Errors
///
/// Some don't end.
pub(crate) async fn end(parts: &Path, pid_files: &Path, progress: &Progress) -> Result<()> {
    let files = fs::read_dir(pid_files).into_iter().flatten().flatten().map(|item| item.path());
    for path in files.filter(|path| path.extension().is_some_and(|end| end == "pid")) {
        if let Ok((pid, started)) = pid_file::read(&path)
            && process_table::runs(pid, started)
        {
            progress
                .say(format!("! ending {} (process {pid}), left over from a runner that was killed", path.display()));
            orphans::end_foreign(pid, started).await;
        }
        fs::remove_file(&path)?;
    }
    let deadline = Instant::now() + WITHIN;
    loop {
        let left: Vec<i32> = process_table::all().into_keys().filter(|pid| works_in(*pid, parts)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let folder = parts.display();
        ensure!(Instant::now() < deadline, "processes {left:?} of a killed runner work in {folder} and can't be ended");
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether a process was started for this folder. One that has ended and waits for its parent has neither variables nor a
/// program, and is none.
fn works_in(pid: i32, parts: &Path) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}"));
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mark = [MARK.as_bytes(), b"=", parts.as_os_str().as_bytes()].concat();
    // PostgreSQL's processes write their titles over their variables.
    let is_postgres = || {
        link("exe").is_ok_and(|program| program.ends_with("postgres"))
            && link("cwd").is_ok_and(|cwd| cwd.starts_with(parts))
    };
    environment.split(|byte| *byte == 0).any(|variable| variable == mark) || is_postgres()
}
