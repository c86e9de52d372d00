//! `model`: what the MES says of a 3D model, without an order.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::host::folders::{cargo_profile, workspace};
use crate::host::process;

/// The picture that is drawn unless the arguments name another one, below the workspace.
const PICTURE: &str = "target/model.png";

/// Builds the program that reads models as the MES does, and replaces this process by it. Returns only if that fails.
pub(crate) async fn model(arguments: &[OsString]) -> Result<()> {
    let runner = std::env::current_exe()?.canonicalize()?;
    let built = runner.parent().context("this program has no folder")?;
    let mut cargo = process::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--bin", "model-price", "--profile", cargo_profile(built)]);
    process::run_visibly(cargo.current_dir(workspace())).await.context("building the reader of models")?;
    let mut program = Command::new(built.join("model-price"));
    program.args(arguments);
    let says = |flag: &str| arguments.iter().any(|argument| argument.to_string_lossy().starts_with(flag));
    if !says("--json") && !says("--picture") {
        program.arg("--picture").arg(workspace().join(PICTURE));
    }
    let error = program.exec();
    Err(error).context("starting the reader of models")
}
