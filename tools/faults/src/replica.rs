//! A further process of a service, whose lines to the database and the broker can be cut and slowed down.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};
use testkit::{TcpProxy as Relay, host_in};
use local::SystemFile;

/// One place for a further process, which runs there or doesn't.
pub(crate) struct Replica {
    pub(crate) service: &'static str,
    pub(crate) address: String,
    pub(crate) lines: Vec<Relay>,
    program: PathBuf,
    environment: BTreeMap<String, String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Replica {
    pub(crate) async fn prepare(file: &SystemFile, service: &'static str) -> Result<Self> {
        let mut environment = file.environments.get(service).context("the services run")?.clone();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut lines = Vec::new();
        for variable in ["DATABASE_URL", "AMQP_URL"] {
            if let Some(url) = environment.get_mut(variable) {
                let line = Relay::to(host_in(url)).await;
                *url = line.instead_in(url);
                lines.push(line);
            }
        }
        environment.insert("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}"));
        Ok(Self {
            service,
            address: format!("http://127.0.0.1:{port}"),
            lines,
            program: file.binaries.get(service).context("the services run")?.clone(),
            environment,
            log: file.logs.join(format!("{service}-replica.log")),
            child: None,
        })
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let open = |path: PathBuf| OpenOptions::new().create(true).append(true).open(path);
        let mut command = local::beside(&self.program)?;
        command.env_clear().envs(&self.environment);
        command
            .stdin(Stdio::null())
            .stdout(open(self.log.clone())?)
            .stderr(open(self.log.with_extension("stderr.txt"))?);
        self.child = Some(command.spawn().with_context(|| format!("starting another {}", self.service))?);
        Ok(())
    }

    /// As hard as can be.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
