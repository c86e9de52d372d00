//! A service of ours as a process of its own, with further settings, beside those of the stage.

use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use testkit::eventually;
use local::SystemFile;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A running service; killed when this is dropped.
pub(crate) struct Service {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The file with its records.
    pub(crate) log: PathBuf,
    child: Child,
}

impl Service {
    /// Starts `shop-api`, `crm-api` or `mes-api` with the stage's settings apart from these, and waits until it answers.
    /// Its records go to a file in `logs`.
    pub(crate) async fn start(
        file: &SystemFile,
        service: &str,
        settings: &[(&str, &str)],
        logs: &Path,
    ) -> Result<Self> {
        let program = file.binaries.get(service).context("the services run")?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = logs.join(format!("{service}-{}.log", address.port()));
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let mut command = local::beside(program)?;
        command.env_clear().envs(file.environments.get(service).context("the services run")?);
        command.envs(settings.iter().copied()).env("LISTEN_ADDR", address.to_string());
        command.stdin(Stdio::null()).stdout(open(&log)?).stderr(open(&log.with_extension("stderr.txt"))?);
        let child = command.spawn().with_context(|| format!("starting a {service}"))?;
        let service = Self { address, log, child };
        let ready = format!("http://{address}/health/ready");
        eventually("a service to be ready", async || {
            reqwest::get(&ready).await.and_then(reqwest::Response::error_for_status).map(drop)
        })
        .await;
        Ok(service)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or_default()
    }

    /// Stops it as an operator would.
    pub(crate) async fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
        let status = tokio::task::block_in_place(|| self.child.wait())?;
        ensure!(status.success(), "a service ended with {status}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
