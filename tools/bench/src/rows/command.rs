//! Other programs that a measurement needs.

use std::{env, process::Command};

use anyhow::{Context as _, Result, ensure};

/// Runs a command; returns its standard output.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Builds all programs in a Cargo profile, as the local runner does before a start.
pub(super) fn build(profile: &str) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--bins", "--profile", profile]).current_dir(env!("CARGO_MANIFEST_DIR"));
    ensure!(cargo.status().context("starting cargo")?.success(), "building the system failed");
    Ok(())
}
