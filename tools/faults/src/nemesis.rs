//! The fault injector: draws faults from a seed and injects them one after another.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use fastrand::Rng;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use local::System;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    replica::Replica,
    retrying_client::RetryingClient,
    run::{Run, say},
};

/// Least time between two deaths of a part: the supervisor gives up a part that dies too often.
const BETWEEN_DEATHS: Duration = Duration::from_secs(20);
/// Unreadable messages that one fault puts into a queue.
const JUNK: u64 = 200;

/// A fault. Replicas are given by their place in [`Service::APIS`]; of a replica's connections, 0 is the one to the
/// database and 1 the one to the broker.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A part is killed; the supervisor starts it again.
    Kill(&'static str),
    /// A part is shut down in order; the supervisor starts it again.
    Stop(&'static str),
    /// A service is suspended for a while.
    Freeze(Service),
    /// A replica's connection is cut for a while.
    Cut(usize, usize),
    /// A replica's connection is slow for a while.
    SlowDown(usize, usize),
    /// A replica is killed, or started if it doesn't run.
    Replica(usize),
    /// A queue gets many unreadable messages.
    Fill(Service),
}

impl Fault {
    fn draw(random: &mut Rng) -> Self {
        let replica = random.usize(..Service::APIS.len());
        let connection = random.usize(..2);
        let service = Service::APIS[replica];
        match random.u32(..100) {
            0..30 => Self::Kill(service.name()),
            30..38 => Self::Freeze(service),
            38..54 => Self::Cut(replica, connection),
            54..64 => Self::SlowDown(replica, connection),
            64..76 => Self::Replica(replica),
            76..80 => Self::Fill(Service::APIS[1 + replica % 2]),
            80..86 => Self::Kill("shipper"),
            86..89 => Self::Kill("elasticsearch"),
            89..92 => Self::Kill("rabbitmq"),
            92..95 => Self::Stop("rabbitmq"),
            95..98 => Self::Stop("postgres"),
            _ => Self::Kill("postgres"),
        }
    }
}

/// The fault injector of a run, with one replica of each service.
pub(crate) struct Nemesis {
    run: Arc<Run>,
    system: Arc<System>,
    random: Rng,
    /// In the order of [`Service::APIS`].
    replicas: Vec<Replica>,
    deaths: BTreeMap<&'static str, Instant>,
    junk: BTreeMap<&'static str, u64>,
}

impl Nemesis {
    /// Starts the replicas.
    pub(crate) async fn prepare(run: &Arc<Run>, system: Arc<System>) -> Result<Self> {
        let mut replicas = Vec::new();
        for service in Service::APIS {
            replicas.push(Replica::start(&run.file, service).await?);
        }
        Ok(Self {
            run: Arc::clone(run),
            system,
            random: Rng::with_seed(run.options.seed),
            replicas,
            deaths: BTreeMap::new(),
            junk: BTreeMap::new(),
        })
    }

    /// Clients of shop, CRM and MES. Each knows the system's own process of the service and the replica.
    pub(crate) fn clients(&self) -> [RetryingClient; 3] {
        let file = &self.run.file;
        let client = |own: &Option<String>, replica: usize| {
            RetryingClient::new(own.iter().chain([&self.replicas[replica].address]).cloned().collect())
        };
        [client(&file.shop_api, 0), client(&file.crm_api, 1), client(&file.mes_api, 2)]
    }

    /// Injects faults until the workload is done, and then heals all connections. Returns how many unreadable messages
    /// each service's queue got.
    pub(crate) async fn run(mut self) -> Result<BTreeMap<&'static str, u64>> {
        let began = Instant::now();
        while !self.run.is_over.load(Ordering::Relaxed) {
            let gap = self.run.options.gap_ms;
            tokio::time::sleep(self.random_time(gap / 2, gap * 3 / 2 + 1)).await;
            let fault = Fault::draw(&mut self.random);
            let outcome = self.inject(fault).await;
            let seconds = began.elapsed().as_secs_f64();
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
        for proxy in self.replicas.iter().flat_map(|replica| &replica.proxies) {
            proxy.mend();
        }
        Ok(self.junk)
    }

    /// Injects a fault and heals it if it lasts. Returns false if the fault doesn't apply at the moment.
    async fn inject(&mut self, fault: Fault) -> Result<bool> {
        match fault {
            Fault::Kill(part) => return self.signal(part, Signal::SIGKILL),
            // On SIGTERM, PostgreSQL would wait until all clients have disconnected.
            Fault::Stop("postgres") => return self.signal("postgres", Signal::SIGINT),
            Fault::Stop(part) => return self.signal(part, Signal::SIGTERM),
            Fault::Freeze(service) => {
                let pid = Pid::from_raw(self.system.pid(service.name())?);
                kill(pid, Signal::SIGSTOP)?;
                tokio::time::sleep(self.random_time(500, 12_000)).await;
                kill(pid, Signal::SIGCONT)?;
            }
            Fault::Cut(replica, connection) => {
                let duration = self.random_time(50, 6_000);
                let Some(proxy) = self.replicas[replica].proxies.get(connection) else { return Ok(false) };
                proxy.cut();
                tokio::time::sleep(duration).await;
                proxy.mend();
            }
            Fault::SlowDown(replica, connection) => {
                let (delay, duration) = (self.random_time(5, 400), self.random_time(500, 6_000));
                let Some(proxy) = self.replicas[replica].proxies.get(connection) else { return Ok(false) };
                proxy.slow_down(delay);
                tokio::time::sleep(duration).await;
                proxy.mend();
            }
            Fault::Replica(replica) => self.replicas[replica].toggle()?,
            Fault::Fill(service) => self.enqueue_junk(service.name()).await?,
        }
        Ok(true)
    }

    /// A random time of at least `from` and less than `to` milliseconds.
    fn random_time(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.random.u64(from..to))
    }

    /// Ends a part by a signal. Returns false if it was ended a moment ago.
    fn signal(&mut self, part: &'static str, signal: Signal) -> Result<bool> {
        if self.deaths.get(part).is_some_and(|at| at.elapsed() < BETWEEN_DEATHS) {
            return Ok(false);
        }
        kill(Pid::from_raw(self.system.pid(part)?), signal)?;
        self.deaths.insert(part, Instant::now());
        Ok(true)
    }

    async fn enqueue_junk(&mut self, service: &'static str) -> Result<()> {
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
        *self.junk.entry(service).or_default() += confirmed;
        Ok(())
    }
}
