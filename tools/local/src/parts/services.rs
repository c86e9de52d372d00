//! Our three services, built by the runner in its own profile, with the accounts of the people who use them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use nix::sys::signal::Signal;
use serde::Deserialize;
use tokio::process::Command;

use crate::host::folders::workspace;
use crate::host::process;
use crate::host::supervisor::{Part, Stage};
use crate::parts::kind::Site;
use crate::system::accounts::{Accounts, Login};
use crate::terminal::progress::Line;

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Shop,
    Crm,
    Mes,
}

impl Name {
    pub(crate) const ALL: [Self; 3] = [Self::Shop, Self::Crm, Self::Mes];

    /// The name of the executable, the part and the records.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Shop => "shop-api",
            Self::Crm => "crm-api",
            Self::Mes => "mes-api",
        }
    }
}

/// One service, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    name: Name,
    program: PathBuf,
    port: u16,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    logs: PathBuf,
}

impl Service {
    /// The service with its own settings. What holds for all services comes from the runner: from its environment (the
    /// log's filter, where traces go) and from its command line (`common`).
    pub(crate) fn new(
        site: &Site,
        name: Name,
        port: u16,
        settings: &[(&str, String)],
        common: &[(String, String)],
    ) -> Self {
        let passed_on = std::env::vars().filter(|(name, _)| name == "RUST_LOG" || name.starts_with("OTEL_"));
        let mut environment: BTreeMap<String, String> = passed_on.collect();
        environment.insert("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}"));
        environment.insert("MODEL_STORE_URL".to_owned(), model_store(site));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        environment.extend(common.iter().cloned());
        Self {
            name,
            program: site.folders.binaries().join(name.text()),
            port,
            environment,
            folder: site.folders.run(),
            logs: site.folders.logs(),
        }
    }

    /// How to run it.
    pub(crate) fn part(&self) -> Part {
        let (name, address) = (self.name.text(), self.address());
        let client = reqwest::Client::new();
        Part {
            name,
            stage: Stage::Service,
            program: self.program.clone(),
            arguments: Vec::new(),
            environment: self.environment.clone(),
            folder: self.folder.clone(),
            output: self.logs.join(format!("{name}.log")),
            errors: self.logs.join(format!("{name}.stderr.txt")),
            ready: Arc::new(move || {
                let request = client.get(format!("{address}/health/ready"));
                async move {
                    let answer = request.send().await?;
                    let status = answer.status();
                    if status.is_success() {
                        return Ok(());
                    }
                    bail!("/health/ready answers {status}: {}", answer.text().await?)
                }
                .boxed()
            }),
            ready_within: Duration::from_secs(60),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(40),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Brings the service's tables up to date.
    pub(crate) async fn migrate(&self, site: &Site) -> Result<()> {
        self.run(site, &["migrate"], "").await.map(drop)
    }

    /// Makes an account, unless there is one with this login.
    pub(crate) async fn add_account(&self, site: &Site, role: &str, account: &Login) -> Result<()> {
        let arguments = ["account", "add", "--role", role, "--login", &account.login, "--if-missing"];
        self.run(site, &arguments, &account.password).await.map(drop)
    }

    /// Makes an API key, unless `accounts` has it from an earlier start.
    pub(crate) async fn add_key(&self, site: &Site, role: &str, accounts: &mut Accounts) -> Result<String> {
        #[derive(Deserialize)]
        struct Made {
            key: String,
        }
        if let Some(key) = accounts.keys.get(role) {
            return Ok(key.clone());
        }
        let said = self.run(site, &["key", "add", "--role", role, "--name", &format!("local-{role}")], "").await?;
        let last = said.lines().last().unwrap_or_default();
        let made: Made = serde_json::from_str(last).context("reading the new key")?;
        accounts.keys.insert(role.to_owned(), made.key.clone());
        accounts.save(&site.folders.data)?;
        Ok(made.key)
    }

    /// Runs one of the service's subcommands with its settings.
    async fn run(&self, site: &Site, arguments: &[&str], input: &str) -> Result<String> {
        let mut command: Command = process::command(&self.program);
        command.args(arguments).env_clear().envs(&self.environment).current_dir(&self.folder);
        site.owner.runs(&mut command);
        process::run_with_input(&mut command, input, Duration::from_secs(120)).await
    }
}

/// The setting that names the folder of models.
pub(crate) fn model_store(site: &Site) -> String {
    format!("file://{}", site.folders.models().display())
}

/// Builds all services, and copies them to where they run.
pub(crate) async fn build(site: &Site, line: &Line) -> Result<()> {
    let built = std::env::current_exe()?.canonicalize()?;
    let built = built.parent().context("this program has no folder")?;
    let profile = match built.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = process::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--bins", "--profile", profile]).current_dir(workspace());
    process::run_with_progress(&mut cargo, |text| line.now(text)).await.context("building the services")?;
    for name in Name::ALL {
        let (from, to) = (built.join(name.text()), site.folders.binaries().join(name.text()));
        // Removed first: what still runs keeps its file.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        site.owner.take(&to)?;
    }
    Ok(())
}
