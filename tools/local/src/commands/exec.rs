//! `exec` runs a service's subcommand with the settings of the running system, `account` that for accounts.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use catalogue::Service;
use clap::ValueEnum;
use tokio::process::Command;

use crate::host::os_user::OsUser;
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

/// Replaces this process by the service's program, which runs as its owner. Returns only if it can't be started.
pub(crate) fn exec(data: &Path, service: &str, arguments: &[OsString]) -> Result<()> {
    let system = SystemFile::read(data)?;
    let found = system.binaries.get(service).zip(system.environments.get(service));
    let (program, environment) = found.with_context(|| {
        let known: Vec<&str> = system.binaries.keys().map(String::as_str).collect();
        format!("the running system has no service {service}, but {}", known.join(", "))
    })?;
    let starting = || format!("starting {}", program.display());
    let mut command = as_its_owner(program).with_context(starting)?;
    Err(command.as_std_mut().args(arguments).env_clear().envs(environment).exec()).with_context(starting)
}

/// Only root can run it as another user. The parts' user, to whom it belongs, may have replaced it by anything.
fn as_its_owner(program: &Path) -> io::Result<Command> {
    let mut command = Command::new(program);
    OsUser::owner_of(program)?.run_as(&mut command);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{lchown, symlink};

    use nix::unistd::Uid;

    use super::*;

    #[tokio::test]
    async fn a_subcommand_runs_as_the_owner_of_what_is_in_the_programs_place() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-exec-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (program, link) = (Path::new("/usr/bin/id"), folder.join("link"));
        symlink(program, &link)?;
        let own = Uid::effective();
        let user = if own.is_root() { Uid::from_raw(1234) } else { own };
        lchown(&link, Some(user.as_raw()), None)?;
        for (program, user) in [(program, own), (&link, user)] {
            let output = as_its_owner(program)?.arg("-u").output().await?;
            assert_eq!(String::from_utf8(output.stdout)?, format!("{user}\n"));
        }
        Ok(fs::remove_dir_all(folder)?)
    }
}
