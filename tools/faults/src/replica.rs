//! A further process of a service, whose connections to the database and the broker can be cut, slowed down and silenced, whose
//! disk can be full, and whose clock can be wrong. It can be of the version before, and changes its version each time it starts
//! then.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Child,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use catalogue::Service;
use local::SystemFile;
use testkit::{TcpProxy, host_in};
use tokio::net::TcpStream;

use crate::{
    clock::{self, Clock},
    disk,
    run::say,
};

/// How long the first start may take.
const START: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// A replica at a fixed address; it may be running or not.
pub(crate) struct Replica {
    pub(crate) address: String,
    /// Proxies before the database and, if the service uses it, the broker.
    pub(crate) proxies: Vec<TcpProxy>,
    clock: Clock,
    process: Mutex<Process>,
}

struct Process {
    /// The program or, with a version before, that one's and then this one's.
    programs: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    log: PathBuf,
    starts: usize,
    child: Option<Child>,
}

impl Replica {
    /// Starts a replica of a service; first with the program of this name in the folder `previous`, if there is one.
    pub(crate) async fn start(file: &SystemFile, service: Service, previous: Option<&Path>) -> Result<Self> {
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
        let program = file.binaries.get(service.name()).with_context(missing)?;
        let previous = previous.map(|folder| copy_beside(&folder.join(service.name()), program)).transpose()?;
        let clock = Clock::beside(program)?;
        environment.extend(clock.environment()?);
        let programs = previous.into_iter().chain([program.clone()]).collect();
        let log = file.logs.join(format!("{service}-replica.log"));
        let process = Mutex::new(Process { programs, environment, log, starts: 0, child: None });
        let replica = Self { address: format!("http://{address}"), proxies, clock, process };
        replica.toggle().with_context(|| format!("starting {service}"))?;
        let listens = tokio::time::timeout(START, replica.wait_until_it_listens(address)).await;
        listens.context("it doesn't listen").flatten().with_context(|| format!("the replica of {service}"))?;
        Ok(replica)
    }

    async fn wait_until_it_listens(&self, address: SocketAddr) -> Result<()> {
        while TcpStream::connect(address).await.is_err() {
            ensure!(self.runs(), "it has ended");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether the process runs.
    pub(crate) fn runs(&self) -> bool {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).pid().is_some()
    }

    /// Kills the process if it runs, or else starts a new one.
    pub(crate) fn toggle(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.pid().is_some() {
            process.kill();
        } else {
            process.start()?;
        }
        Ok(())
    }

    /// Fills or frees the disk of the process. Returns false if it doesn't run.
    pub(crate) fn set_disk_full(&self, is_full: bool) -> Result<bool> {
        let Some(pid) = self.process.lock().unwrap_or_else(PoisonError::into_inner).pid() else { return Ok(false) };
        disk::set_full(pid, is_full)?;
        Ok(true)
    }

    /// Sets the clock of the process so many seconds ahead of the machine's. One that starts later has it, too.
    pub(crate) fn set_clock(&self, ahead_s: i64) -> Result<()> {
        self.clock.set(ahead_s)
    }
}

/// Copies a program of another version into the folder of this one's, for the same user.
fn copy_beside(previous: &Path, program: &Path) -> Result<PathBuf> {
    let copy = program.with_extension("previous");
    fs::copy(previous, &copy).with_context(|| format!("copying {}", previous.display()))?;
    let owner = fs::metadata(program)?;
    chown(&copy, Some(owner.uid()), Some(owner.gid())).with_context(|| format!("giving {} away", copy.display()))?;
    Ok(copy)
}

impl Process {
    fn start(&mut self) -> Result<()> {
        let program = &self.programs[self.starts % self.programs.len()];
        let mut command = local::replica_command(program, &self.environment, &self.log)?;
        self.child = Some(command.spawn().context("starting a replica")?);
        self.starts += 1;
        Ok(())
    }

    /// The process's id if it runs. That it ended by itself is said once: one that starts while its database is away may.
    fn pid(&mut self) -> Option<i32> {
        let child = self.child.as_mut()?;
        if let Ok(Some(status)) = child.try_wait() {
            say(format!("  the replica with the log {} ended by itself: {status}", self.log.display()));
            self.kill();
            return None;
        }
        i32::try_from(child.id()).ok()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            clock::clean_up_after(child.id());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
