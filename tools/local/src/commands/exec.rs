//! `exec` runs a service's subcommand with the settings of the running system, `account` that for accounts.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use catalogue::Service;
use clap::ValueEnum;

use crate::system::system_file::SystemFile;

/// Whose account a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccountKind {
    Customer,
    Seller,
    Operator,
}

/// Runs the subcommand for accounts of the service that has accounts of this kind.
pub(crate) fn account(data: &Path, kind: AccountKind, arguments: &[OsString]) -> Result<()> {
    let (service, role) = match kind {
        AccountKind::Customer => (Service::CrmApi, "customer"),
        AccountKind::Seller => (Service::CrmApi, "seller"),
        AccountKind::Operator => (Service::MesApi, "operator"),
    };
    let mut all = vec!["account".into()];
    all.extend_from_slice(arguments);
    if arguments.first().is_some_and(|first| first == "add") {
        all.extend(["--role".into(), role.into()]);
    }
    exec(data, service.name(), &all)
}

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
