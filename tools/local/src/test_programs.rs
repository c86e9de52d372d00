//! Programs that only tests need. What is missing is installed if this process may do that.

mod packages;
mod provide;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::parts::{java, needs, needs::Need};

pub use packages::{OLDEST_PYTHON, python_packages};
use provide::{ensure, provide};

/// Chromium's driver. Chromium is there as well.
///
/// # Errors
///
/// It is missing and can't be installed; the error has the command that does it.
pub fn browser_driver() -> Result<PathBuf> {
    provide(Need::Browser, "chromedriver")
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
