//! A further process of a service, whose connections to the database and the broker can be cut, slowed down and silenced.

use std::{
    fs::OpenOptions,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use local::SystemFile;
use testkit::{TcpProxy, host_in};

/// A replica at a fixed address; it may be running or not.
pub(crate) struct Replica {
    pub(crate) address: String,
    /// Proxies before the database and, if the service uses it, the broker.
    pub(crate) proxies: Vec<TcpProxy>,
    process: Mutex<Process>,
}

struct Process {
    command: Command,
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
                let proxy = TcpProxy::to(host_in(url)).await;
                *url = proxy.instead_in(url);
                proxies.push(proxy);
            }
        }
        environment.insert("LISTEN_ADDR".to_owned(), address.to_string());
        let log = file.logs.join(format!("{service}-replica.log"));
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let mut command = local::replica_command(file.binaries.get(service.name()).with_context(missing)?)?;
        command.env_clear().envs(environment).stdin(Stdio::null());
        command.stdout(open(&log)?).stderr(open(&log.with_extension("stderr.txt"))?);
        let process = Mutex::new(Process { command, child: None });
        let replica = Self { address: format!("http://{address}"), proxies, process };
        replica.toggle().with_context(|| format!("starting {service}"))?;
        Ok(replica)
    }

    /// Kills the process if it runs, or else starts a new one.
    pub(crate) fn toggle(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            process.kill();
        } else {
            process.child = Some(process.command.spawn().context("starting a replica")?);
        }
        Ok(())
    }
}

impl Process {
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
