//! The services and Support's page: built with the runner's own profile, with the accounts and keys that they need.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use catalogue::Service;
use nix::unistd::Uid;
use serde::Deserialize;

use crate::host::folders::{Folders, cargo_profile, workspace};
use crate::host::os_user::OsUser;
use crate::host::process;
use crate::host::supervisor::{Part, Stage};
use crate::system::accounts::{Accounts, Login};
use crate::terminal::progress::Line;

/// The setting of where metrics can be scraped.
const METRICS_ADDR: &str = "METRICS_ADDR";

/// The program of one service with its settings.
#[derive(Clone, Debug)]
pub(crate) struct ServiceProgram {
    pub(crate) service: Service,
    pub(crate) program: PathBuf,
    pub(crate) address: String,
    /// Where its metrics can be scraped.
    pub(crate) metrics: String,
    pub(crate) environment: BTreeMap<String, String>,
    folders: Folders,
}

impl ServiceProgram {
    /// What a further replica's environment has to be. Its metrics are at any free port.
    pub(crate) fn environment_of_replicas(&self) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment.insert(METRICS_ADDR.to_owned(), "127.0.0.1:0".to_owned());
        environment
    }

    /// A service with its own settings and those for all of them: from the runner's environment (the log's filter, the
    /// target of traces) and from its command line (`common`).
    pub(crate) fn new(
        folders: &Folders,
        service: Service,
        [port, metrics_port]: [u16; 2],
        settings: &[(&str, String)],
        common: &[(String, String)],
    ) -> Self {
        let inherited = std::env::vars().filter(|(name, _)| name == "RUST_LOG" || name.starts_with("OTEL_"));
        let mut environment: BTreeMap<String, String> = inherited.collect();
        environment.insert("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}"));
        environment.insert(METRICS_ADDR.to_owned(), format!("127.0.0.1:{metrics_port}"));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        environment.extend(common.iter().cloned());
        Self {
            service,
            program: folders.binaries().join(service.name()),
            address: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics_port}/metrics"),
            environment,
            folders: folders.clone(),
        }
    }

    pub(crate) fn part(&self) -> Part {
        let name = self.service.name();
        let (client, url) = (reqwest::Client::new(), format!("{}/health/ready", self.address));
        let ready = move || {
            let request = client.get(&url);
            async move {
                let response = request.send().await?;
                let status = response.status();
                if status.is_success() {
                    return Ok(());
                }
                bail!("/health/ready responds {status}: {}", response.text().await?)
            }
        };
        Part {
            environment: self.environment.clone(),
            folder: self.folders.run(),
            output: self.folders.logs().join(format!("{name}.log")),
            errors: self.folders.logs().join(format!("{name}.stderr.txt")),
            stop_within: Duration::from_secs(40),
            ..Part::new((name, Stage::Service), self.program.clone(), &self.folders, ready)
        }
    }

    /// Applies the service's migrations.
    pub(crate) async fn migrate(&self) -> Result<()> {
        self.run(&["migrate"], "").await.map(drop)
    }

    /// Creates an account, unless there is one with this login.
    pub(crate) async fn add_account(&self, role: &str, account: &Login) -> Result<()> {
        let arguments = ["account", "add", "--role", role, "--login", &account.login, "--if-missing"];
        self.run(&arguments, &account.password).await.map(drop)
    }

    /// Creates an API key, unless `accounts` has it from an earlier start.
    pub(crate) async fn add_key(&self, role: &str, accounts: &mut Accounts) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            key: String,
        }
        if let Some(key) = accounts.keys.get(role) {
            return Ok(key.clone());
        }
        let output = self.run(&["key", "add", "--role", role, "--name", &format!("local-{role}")], "").await?;
        let last = output.lines().last().unwrap_or_default();
        let Created { key } = serde_json::from_str(last).context("reading the new key")?;
        accounts.keys.insert(role.to_owned(), key.clone());
        accounts.save(&self.folders.data)?;
        Ok(key)
    }

    /// Runs one of the service's subcommands with its settings.
    async fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = process::command(&self.program);
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.folders.run());
        self.folders.user.run_as(&mut command);
        process::run_with_input(&mut command, input, Duration::from_secs(120)).await
    }
}

/// The setting that names the folder of models.
pub(crate) fn model_store(folders: &Folders) -> String {
    format!("file://{}", folders.models().display())
}

/// Builds all services, with these features, and copies them into the folder of binaries.
pub(crate) async fn build(folders: &Folders, features: Option<&str>, line: &Line) -> Result<()> {
    let runner = std::env::current_exe()?.canonicalize()?;
    let built = runner.parent().context("this program has no folder")?;
    let mut cargo = process::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Chosen by program and not by package, so that dependencies have the features that they have for the whole workspace, and
    // none is built twice.
    let programs = Service::ALL.into_iter().flat_map(|service| ["--bin", service.name()]);
    cargo.args(["build", "--profile", cargo_profile(built)]).args(programs).current_dir(workspace());
    cargo.args(features.map(|features| format!("--features={features}")));
    process::run_with_progress(&mut cargo, |text| line.now(text)).await.context("building the services")?;
    for service in Service::ALL {
        let (from, to) = (built.join(service.name()), folders.binaries().join(service.name()));
        // The parts' user may not be able to read it.
        let mut built = File::open(&from).with_context(|| format!("opening {}", from.display()))?;
        let copy = || {
            // Removed first, so that a running process keeps its file.
            let _ = fs::remove_file(&to);
            io::copy(&mut built, &mut OpenOptions::new().write(true).create_new(true).mode(0o755).open(&to)?)
        };
        folders.user.with_rights(copy).with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(())
}

/// A command for a further replica of a service, by the program of the running system and with this environment alone. Its
/// records are added to `log`, its other output to the file with the extension `stderr.txt` instead. Files that may not grow
/// (`RLIMIT_FSIZE`) are an error to it and not its end.
///
/// # Errors
///
/// The program doesn't exist, or a file can't be opened.
pub fn replica_command(program: &Path, environment: &BTreeMap<String, String>, log: &Path) -> io::Result<Command> {
    let owner = fs::symlink_metadata(program)?;
    let user_of_logs = OsUser::owner_of(log.parent().unwrap_or(log))?;
    let open = |path: &Path| {
        let file = user_of_logs.open_log(path)?;
        if Uid::effective().is_root() {
            // The shipper runs as the same user. Root's umask may close files to others.
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok::<_, io::Error>(file)
    };
    let mut command = as_owner_of(program)?;
    command.args(["/usr/bin/env", "--ignore-signal=XFSZ"]).env_clear().envs(environment);
    if let Some(library) = environment.get("LD_PRELOAD") {
        // Not for root's process before: what the library makes there isn't the user's.
        command.arg(format!("LD_PRELOAD={library}")).env_remove("LD_PRELOAD");
    }
    command.arg(program);
    command.stdin(Stdio::null()).stdout(open(log)?).stderr(open(&log.with_extension("stderr.txt"))?);
    Ok(command)
}

/// A command, whose arguments are to be a program and its arguments, that runs as the user that owns this file, and is killed if
/// this process dies. A link's owner is that of the link itself. A user other than root can run it only as itself.
///
/// # Errors
///
/// The file doesn't exist.
pub fn as_owner_of(file: &Path) -> io::Result<Command> {
    let owner = fs::symlink_metadata(file)?;
    let mut command = Command::new("/usr/bin/setpriv");
    if Uid::effective().is_root() {
        let (user, group) = (owner.uid().to_string(), owner.gid().to_string());
        command.args(["--clear-groups", "--reuid", &user, "--regid", &group]);
    }
    command.args(["--pdeathsig", "KILL"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    #[test]
    fn a_replica_runs_as_the_owner_of_its_program_who_gets_its_logs() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-replica-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (program, log) = (folder.join("service"), folder.join("service.log"));
        fs::write(&program, "#!/bin/sh\nid -u\necho $SAID >&2\n")?;
        for path in [&folder, &program] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        let own = fs::metadata(&program)?.uid();
        let owner = if Uid::effective().is_root() { own + 1234 } else { own };
        chown(&program, Some(owner), None)?;
        let environment = BTreeMap::from([("SAID".to_owned(), "something".to_owned())]);
        assert!(replica_command(&program, &environment, &log)?.status()?.success());
        assert_eq!(fs::read_to_string(&log)?, format!("{owner}\n"));
        assert_eq!(fs::metadata(&log)?.uid(), owner);
        assert_eq!(fs::read_to_string(folder.join("service.stderr.txt"))?, "something\n");
        let link = folder.join("link.log");
        symlink(&program, &link)?;
        assert!(replica_command(&program, &environment, &link).is_err());
        Ok(fs::remove_dir_all(folder)?)
    }
}
