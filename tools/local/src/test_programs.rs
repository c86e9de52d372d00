//! Programs that only tests need. What is missing is installed if this process may do that.

use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, Result, anyhow};

use crate::host::package_root::program;
use crate::parts::{java, needs, needs::Need};
use crate::terminal::progress::Progress;

/// Chromium's driver. Chromium is there as well.
///
/// # Errors
///
/// It is missing and can't be installed; the error has the command that does it.
pub fn browser_driver() -> Result<PathBuf> {
    provide(Need::Browser, "chromedriver")
}

/// A Python that can make environments.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn python() -> Result<PathBuf> {
    provide(Need::Python, "python3")
}

/// Go.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn go() -> Result<PathBuf> {
    provide(Need::Go, "go")
}

/// npm.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn npm() -> Result<PathBuf> {
    provide(Need::Npm, "npm")
}

/// HAProxy.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn haproxy() -> Result<PathBuf> {
    provide(Need::Haproxy, "haproxy")
}

/// OpenSSL.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn openssl() -> Result<PathBuf> {
    provide(Need::Openssl, "openssl")
}

/// Prometheus.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn prometheus() -> Result<PathBuf> {
    provide(Need::Prometheus, "prometheus")
}

/// libfaketime's library for programs with threads.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn faketime() -> Result<PathBuf> {
    ensure(Need::Faketime)?;
    needs::faketime().context("libfaketime was installed, but is not found")
}

/// A Java of any version that is still maintained.
///
/// # Errors
///
/// Those of [`browser_driver`].
pub fn java() -> Result<PathBuf> {
    const OLDEST: u32 = 8;
    if java::find(OLDEST, |_| true).is_none() {
        ensure(Need::Java)?;
    }
    let java = java::find(OLDEST, |_| true).context("Java was got, but is not found")?;
    Ok(java.home.join("bin/java"))
}

fn provide(need: Need, name: &str) -> Result<PathBuf> {
    ensure(need)?;
    program(name).with_context(|| format!("{name} was installed, but is not found"))
}

fn ensure(need: Need) -> Result<()> {
    let ensure = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(needs::ensure(&[need], &Progress::new()))
    };
    // A test may be in a runtime, where no other can run.
    let ended = thread::scope(|scope| scope.spawn(ensure).join());
    ended.unwrap_or_else(|_| Err(anyhow!("getting {need:?} failed")))
}
