//! Everything that runs, built as the runner builds it before it starts it.

use std::{env, process::Command};

use anyhow::{Context as _, Result, ensure};

pub(super) fn all(profile: &str) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--bins", "--profile", profile]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.status().context("starting cargo")?;
    ensure!(status.success(), "building the system failed");
    Ok(())
}
