//! `exec`: runs a service's subcommand with the settings of the running system.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::system::system_file::SystemFile;

/// Replaces this process by the service's program. Returns only if it can't be started.
pub(crate) fn exec(data: &Path, service: &str, arguments: &[OsString]) -> Result<()> {
    let system = SystemFile::read(data)?;
    let found = system.binaries.get(service).zip(system.environments.get(service));
    let (program, environment) = found.with_context(|| {
        let known: Vec<&str> = system.binaries.keys().map(String::as_str).collect();
        format!("the running system has no service {service}, but {}", known.join(", "))
    })?;
    let error = Command::new(program).args(arguments).env_clear().envs(environment).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}
