//! A further process of a service, with its own settings, beside those that the testbed started.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use catalogue::Service;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use testkit::eventually;
use tokio::process::{Child, Command};

use crate::testbed::Testbed;

/// A running process of a service; dropping it kills the process.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    /// The file with its records.
    pub(crate) log: PathBuf,
    child: Child,
}

impl Instance {
    /// Starts a service with the testbed's settings overridden by `settings`, and waits until it is ready.
    pub(crate) async fn start(testbed: &Testbed, service: Service, settings: &[(&str, &str)]) -> Result<Self> {
        let (program, environment) = testbed.program(service)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = testbed.folder("instance-logs")?.join(format!("{service}-{}.log", address.port()));
        let mut command = Command::from(local::replica_command(program, environment, &log)?);
        command.kill_on_drop(true).envs(settings.iter().copied()).env("LISTEN_ADDR", address.to_string());
        let child = command.spawn().with_context(|| format!("starting {service}"))?;
        let instance = Self { address, log, child };
        let ready = format!("http://{address}/health/ready");
        eventually("a service to be ready", async || {
            reqwest::get(&ready).await.and_then(reqwest::Response::error_for_status).map(drop)
        })
        .await;
        Ok(instance)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("a service has ended")?)?)
    }

    /// Stops the process by SIGTERM, and waits for its end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid()?), Signal::SIGTERM)?;
        let status = self.child.wait().await?;
        ensure!(status.success(), "a service ended with {status}");
        Ok(())
    }
}
