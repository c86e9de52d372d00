//! The fault injector: injects the faults of a plan one after another.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use futures::future::join_all;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use local::System;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use testkit::TcpProxy;

use crate::{
    disk,
    plan::{self, Fault, Step},
    replica::Replica,
    retrying_client::RetryingClient,
    run::{Run, say},
    slow_disk::SlowDisk,
};

/// Least time between two deaths of a part: the supervisor gives up a part that dies too often.
const BETWEEN_DEATHS: Duration = Duration::from_secs(20);
/// Unreadable messages that one fault puts into a queue.
const JUNK: u64 = 200;

/// How many unreadable messages each service's queue got.
pub(crate) type Junk = BTreeMap<String, u64>;

/// The fault injector of a run, with one replica of each service.
pub(crate) struct Nemesis {
    run: Arc<Run>,
    system: Arc<System>,
    plan: Box<dyn Iterator<Item = Step> + Send + Sync>,
    /// What has been planned so far.
    file: File,
    /// In the order of [`Service::APIS`].
    replicas: Vec<Replica>,
    deaths: Mutex<BTreeMap<String, Instant>>,
    junk: Mutex<Junk>,
}

impl Nemesis {
    /// Starts the replicas. The plan is written to `file`, step by step.
    pub(crate) async fn prepare(run: &Arc<Run>, system: Arc<System>, file: &Path) -> Result<Self> {
        let mut replicas = Vec::new();
        for service in Service::APIS {
            replicas.push(Replica::start(&run.file, service, run.options.previous.as_deref()).await?);
        }
        let options = &run.options;
        let plan: Box<dyn Iterator<Item = Step> + Send + Sync> = match &options.plan {
            Some(path) => Box::new(plan::read(path)?.into_iter()),
            None => Box::new(plan::of_seed(options.seed, options.gap_ms)),
        };
        Ok(Self {
            run: Arc::clone(run),
            system,
            plan,
            file: File::create(file).with_context(|| format!("creating {}", file.display()))?,
            replicas,
            deaths: Mutex::default(),
            junk: Mutex::default(),
        })
    }

    /// Clients of shop, CRM and MES. Each knows the system's own process of the service and the replica.
    pub(crate) fn clients(&self) -> [RetryingClient; 3] {
        let file = &self.run.file;
        let own = [&file.shop_api, &file.crm_api, &file.mes_api];
        std::array::from_fn(|index| RetryingClient {
            http: reqwest::Client::new(),
            service: Service::APIS[index],
            addresses: own[index].iter().chain([&self.replicas[index].address]).cloned().collect(),
            recorder: Arc::clone(&self.run.recorder),
            patience: self.run.options.patience(),
        })
    }

    /// Injects faults until the workload is done, and then heals all connections.
    pub(crate) async fn run(mut self) -> Result<Junk> {
        let began = Instant::now();
        while let Some(step) = self.plan.next()
            && self.run.goes_on_after(Duration::from_millis(step.pause_ms)).await
        {
            plan::write(&mut self.file, &step)?;
            // Each says if it has ended by itself.
            for replica in &self.replicas {
                replica.runs();
            }
            let outcomes = join_all(step.faults.iter().map(|fault| self.inject(fault))).await;
            let seconds = began.elapsed().as_secs_f64();
            for (fault, outcome) in step.faults.iter().zip(outcomes) {
                match outcome {
                    Ok(true) => {
                        self.run.faults.fetch_add(1, Ordering::Relaxed);
                        say(format!("{seconds:7.1} s  {fault:?}"));
                    }
                    Ok(false) => {}
                    // The part may still be down from the fault before.
                    Err(error) => say(format!("{seconds:7.1} s  {fault:?} failed: {error:#}")),
                }
            }
        }
        for replica in &self.replicas {
            replica.proxies.iter().for_each(TcpProxy::mend);
        }
        // The replicas take part until the workload is done.
        while self.run.goes_on_after(Duration::from_secs(3_600)).await {}
        Ok(self.junk.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Injects a fault and heals it if it lasts. Returns false if the fault doesn't apply at the moment.
    async fn inject(&self, fault: &Fault) -> Result<bool> {
        match fault {
            Fault::Kill { part } => return self.signal(part, Signal::SIGKILL),
            // On SIGTERM, PostgreSQL would wait until all clients have disconnected.
            Fault::Stop { part } if part == "postgres" => return self.signal(part, Signal::SIGINT),
            Fault::Stop { part } => return self.signal(part, Signal::SIGTERM),
            Fault::StopImmediately => return self.signal("postgres", Signal::SIGQUIT),
            Fault::Freeze { part, ms } => {
                let frozen: Vec<_> = self.system.pids(part)?.into_iter().map(Pid::from_raw).collect();
                // One that has just ended needs no signal.
                let send = |signal| {
                    for pid in &frozen {
                        let _ = kill(*pid, signal);
                    }
                };
                send(Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                send(Signal::SIGCONT);
            }
            Fault::Cut { replica, connection, ms } => {
                return Ok(self.disturb(*replica, *connection, *ms, TcpProxy::cut).await);
            }
            Fault::SlowDown { replica, connection, delay_ms, ms } => {
                let slow_down = |proxy: &TcpProxy| proxy.slow_down(Duration::from_millis(*delay_ms));
                return Ok(self.disturb(*replica, *connection, *ms, slow_down).await);
            }
            Fault::Silence { replica, connection, ms } => {
                return Ok(self.disturb(*replica, *connection, *ms, TcpProxy::silence).await);
            }
            Fault::Replica { replica } => self.replicas[*replica].toggle()?,
            Fault::FullDisk { replica, ms } => {
                let replica = &self.replicas[*replica];
                if !replica.set_disk_full(true)? {
                    return Ok(false);
                }
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                replica.set_disk_full(false)?;
            }
            Fault::SlowDisk { part, writes_per_s, ms } => {
                // First the one that starts the others: what it starts meanwhile is slow, too.
                let slow = SlowDisk::of(self.system.pid(part)?, self.system.data(), *writes_per_s)?;
                self.system.pids(part)?.into_iter().try_for_each(|pid| slow.add(pid))?;
                tokio::time::sleep(Duration::from_millis(*ms)).await;
            }
            Fault::Clock { replica, ahead_s, ms } => {
                let replica = &self.replicas[*replica];
                replica.set_clock(*ahead_s)?;
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                replica.set_clock(0)?;
            }
            Fault::FullDatabaseDisk { ms } => return self.fill_database_disk(*ms).await,
            Fault::Fill { service } => self.enqueue_junk(service).await?,
        }
        Ok(true)
    }

    /// Disturbs a replica's connection for a while. Returns false if the replica has none.
    async fn disturb(&self, replica: usize, connection: usize, ms: u64, disturb: impl Fn(&TcpProxy)) -> bool {
        let Some(proxy) = self.replicas[replica].proxies.get(connection) else { return false };
        disturb(proxy);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        proxy.mend();
        true
    }

    /// Ends a part by a signal. Returns false if it was ended a moment ago.
    fn signal(&self, part: &str, signal: Signal) -> Result<bool> {
        if !self.note_death(part) {
            return Ok(false);
        }
        kill(Pid::from_raw(self.system.pid(part)?), signal)?;
        Ok(true)
    }

    /// Notes that a part dies now. Returns false, and notes nothing, if it died a moment ago.
    fn note_death(&self, part: &str) -> bool {
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        if deaths.get(part).is_some_and(|at| at.elapsed() < BETWEEN_DEATHS) {
            return false;
        }
        deaths.insert(part.to_owned(), Instant::now());
        true
    }

    /// Fills PostgreSQL's disk for a while, from which it dies if it has to write. Returns false if it died a moment ago.
    async fn fill_database_disk(&self, ms: u64) -> Result<bool> {
        const PART: &str = "postgres";
        if !self.note_death(PART) {
            return Ok(false);
        }
        let set_full = |parent: i32, is_full: bool| -> Result<()> {
            // First the one that starts the others: what it starts meanwhile inherits it, and none keeps the old limit.
            disk::set_full(parent, is_full)?;
            self.system.pids(PART)?.into_iter().try_for_each(|pid| disk::set_full(pid, is_full))
        };
        set_full(self.system.pid(PART)?, true)?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        // If it died, it was started again with room, or will be.
        if let Ok(parent) = self.system.pid(PART) {
            set_full(parent, false)?;
        }
        Ok(true)
    }

    async fn enqueue_junk(&self, service: &str) -> Result<()> {
        let url = self.run.file.amqp.as_deref().context("RabbitMQ doesn't run")?;
        let publish = async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let mut confirmed = 0;
            for number in 0..JUNK {
                let (queue, body) = (format!("{service}.orders"), format!("junk {number}"));
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let persistent = BasicProperties::default().with_delivery_mode(2);
                let confirm = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), persistent);
                confirmed += u64::from(confirm.await?.await?.is_ack());
            }
            connection.close(200, "done".into()).await?;
            Ok::<u64, lapin::Error>(confirmed)
        };
        let confirmed =
            tokio::time::timeout(Duration::from_secs(20), publish).await.context("RabbitMQ doesn't respond")??;
        *self.junk.lock().unwrap_or_else(PoisonError::into_inner).entry(service.to_owned()).or_default() += confirmed;
        Ok(())
    }
}
