//! Gets what is missing.

use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, Result, anyhow};

use crate::host::package_root::program;
use crate::parts::{needs, needs::Need};
use crate::terminal::progress::Progress;

/// The program of this name, which comes with `need`.
pub(super) fn provide(need: Need, name: &str) -> Result<PathBuf> {
    ensure(need)?;
    program(name).with_context(|| format!("{name} was installed, but is not found"))
}

/// Installs it, unless it is there.
pub(super) fn ensure(need: Need) -> Result<()> {
    let ensure = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(needs::ensure(&[need], &Progress::new()))
    };
    // A test may be in a runtime, where no other can run.
    let ended = thread::scope(|scope| scope.spawn(ensure).join());
    ended.unwrap_or_else(|_| Err(anyhow!("getting {need:?} failed")))
}
