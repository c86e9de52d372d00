//! A further process of a service, whose connections to the database and the broker can be cut and slowed down.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use e2e::{Relay, host_in};
use local::SystemFile;

/// A replica at a fixed address; it may be running or not.
pub(crate) struct Replica {
    pub(crate) address: String,
    /// Proxies before the database and, if the service uses it, the broker.
    pub(crate) proxies: Vec<Relay>,
    program: PathBuf,
    environment: BTreeMap<String, String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Replica {
    /// Starts a replica of a service.
    pub(crate) async fn start(file: &SystemFile, service: Service) -> Result<Self> {
        let missing = || format!("{service} doesn't run");
        let mut environment = file.environments.get(service.name()).with_context(missing)?.clone();
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut proxies = Vec::new();
        for variable in ["DATABASE_URL", "AMQP_URL"] {
            if let Some(url) = environment.get_mut(variable) {
                let proxy = Relay::to(host_in(url)).await;
                *url = proxy.instead_in(url);
                proxies.push(proxy);
            }
        }
        environment.insert("LISTEN_ADDR".to_owned(), address.to_string());
        let mut replica = Self {
            address: format!("http://{address}"),
            proxies,
            program: file.binaries.get(service.name()).with_context(missing)?.clone(),
            environment,
            log: file.logs.join(format!("{service}-replica.log")),
            child: None,
        };
        replica.spawn()?;
        Ok(replica)
    }

    /// Kills the process if it runs, or else starts a new one.
    pub(crate) fn toggle(&mut self) -> Result<()> {
        if self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            self.kill();
            return Ok(());
        }
        self.spawn()
    }

    fn spawn(&mut self) -> Result<()> {
        let open = |path: PathBuf| OpenOptions::new().create(true).append(true).open(path);
        let mut command = local::beside(&self.program)?;
        command.env_clear().envs(&self.environment).stdin(Stdio::null());
        command.stdout(open(self.log.clone())?).stderr(open(self.log.with_extension("stderr.txt"))?);
        self.child = Some(command.spawn().with_context(|| format!("starting {}", self.program.display()))?);
        Ok(())
    }

    fn kill(&mut self) {
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
