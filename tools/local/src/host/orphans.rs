//! The end of processes that outlive their parent: orphans that this process adopts, and parts of a killed runner.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use tokio::signal::unix::{SignalKind, signal};

use crate::host::{process, process::POLL, process_table, process_table::Entry};

/// The limit for a group of processes to end after its signal.
const WITHIN: Duration = Duration::from_secs(10);

/// Makes orphaned grandchildren this process's children, so that all of them can be ended.
pub(crate) fn adopt() -> Result<()> {
    prctl::set_child_subreaper(true).context("becoming the parent of orphaned processes")
}

/// Waits for every adopted child that has ended, so that no zombie stays in the table of processes.
pub(crate) async fn reap() -> Result<()> {
    let mut ended = signal(SignalKind::child())?;
    while ended.recv().await.is_some() {
        for (pid, entry) in orphans() {
            if entry.zombie {
                let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
            }
        }
    }
    Ok(())
}

/// The children that this process adopted.
fn orphans() -> Vec<(i32, Entry)> {
    let own = getpid().as_raw();
    // Locked while the table is read: a child that another thread starts is in both, or in neither.
    let known = process::started();
    let all = process_table::all().into_iter();
    all.filter(|(pid, entry)| entry.parent == own && !known.contains(pid)).collect()
}

/// Kills all adopted children and waits for them.
pub(crate) async fn kill_all() {
    let deadline = Instant::now() + WITHIN;
    while kill_round() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
}

/// Returns whether there was an orphan.
fn kill_round() -> bool {
    let pids: Vec<Pid> = orphans().into_iter().map(|(pid, _)| Pid::from_raw(pid)).collect();
    for pid in &pids {
        let _ = kill(*pid, Signal::SIGKILL);
        let _ = waitpid(*pid, Some(WaitPidFlag::WNOHANG));
    }
    !pids.is_empty()
}

/// Ends a process that is not this one's child, and all its descendants: SIGTERM, and SIGKILL after ten seconds.
pub(crate) async fn end_foreign(pid: i32, started: u64) {
    let family = process_table::descendants(pid);
    let runs = || process_table::runs(pid, started);
    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    let deadline = Instant::now() + WITHIN;
    while runs() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
    if runs() {
        for pid in family.into_iter().chain([pid]) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    while runs() && Instant::now() < deadline + Duration::from_secs(5) {
        tokio::time::sleep(POLL).await;
    }
}

/// Kills all descendants when it is dropped, also during a panic.
pub(crate) struct KillDescendantsOnDrop;

impl Drop for KillDescendantsOnDrop {
    fn drop(&mut self) {
        kill_descendants();
    }
}

/// Kills all descendants of this process and waits for them. The last resort, after all parts had time to stop.
/// Needs no runtime, so that it works during a panic.
pub(crate) fn kill_descendants() {
    let deadline = Instant::now() + WITHIN;
    loop {
        let left = process_table::descendants(getpid().as_raw());
        for pid in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        std::thread::park_timeout(POLL);
    }
}
