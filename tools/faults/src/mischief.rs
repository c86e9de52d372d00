//! What is broken, and when: drawn from a seed, one fault after another.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use lapin::{BasicProperties, Connection, ConnectionProperties, options::BasicPublishOptions};
use local::System;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Run, clients::Doors, door::Door, replica::Replica, say};

const SERVICES: [&str; 3] = ["shop-api", "crm-api", "mes-api"];
/// The supervisor gives a part up that dies too often; in the real world somebody would have looked.
const BETWEEN_DEATHS: Duration = Duration::from_secs(20);
/// Messages that are no messages, to fill a queue with.
const JUNK: u64 = 200;

/// Something that breaks.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A part dies and is started again.
    Kill(&'static str),
    /// A part is stopped in order and started again.
    Stop(&'static str),
    /// A service stands still for a while, and goes on as if nothing had been.
    Freeze(&'static str),
    /// A replica's connection to the database (0) or the broker (1) is cut for a while.
    Cut(usize, usize),
    /// The same is slow.
    SlowDown(usize, usize),
    /// A replica starts, or dies if it runs.
    Replica(usize),
    /// A queue gets many messages that can't be read.
    Fill(&'static str),
}

impl Fault {
    fn draw(random: &mut Rng) -> Self {
        let service = random.usize(..SERVICES.len());
        let line = random.usize(..2);
        match random.u32(..100) {
            0..30 => Self::Kill(SERVICES[service]),
            30..38 => Self::Freeze(SERVICES[service]),
            38..54 => Self::Cut(service, line),
            54..64 => Self::SlowDown(service, line),
            64..76 => Self::Replica(service),
            76..80 => Self::Fill(SERVICES[1 + service % 2]),
            80..86 => Self::Kill("shipper"),
            86..89 => Self::Kill("elasticsearch"),
            89..92 => Self::Kill("rabbitmq"),
            92..95 => Self::Stop("rabbitmq"),
            95..98 => Self::Stop("postgres"),
            _ => Self::Kill("postgres"),
        }
    }
}

pub(crate) struct Mischief {
    run: Arc<Run>,
    system: Arc<System>,
    random: Rng,
    replicas: Vec<Replica>,
    deaths: BTreeMap<&'static str, Instant>,
    junk: BTreeMap<&'static str, u64>,
}

impl Mischief {
    pub(crate) async fn prepare(run: &Arc<Run>, system: Arc<System>) -> Result<Self> {
        let mut replicas = Vec::new();
        for service in SERVICES {
            let mut replica = Replica::prepare(&run.file, service).await?;
            replica.start()?;
            replicas.push(replica);
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

    /// Each service at two addresses.
    pub(crate) fn doors(&self) -> Doors {
        let file = &self.run.file;
        let door = |address: &Option<String>, replica: &Replica| {
            Door::new(address.iter().chain([&replica.address]).cloned().collect())
        };
        Doors {
            shop: door(&file.shop_api, &self.replicas[0]),
            crm: door(&file.crm_api, &self.replicas[1]),
            mes: door(&file.mes_api, &self.replicas[2]),
        }
    }

    /// Breaks one thing after another until the clients are done; then everything is whole again. Gives how many unreadable
    /// messages each service's queue got.
    pub(crate) async fn make(mut self) -> Result<BTreeMap<&'static str, u64>> {
        let began = Instant::now();
        while !self.run.is_over.load(Ordering::Relaxed) {
            let gap = self.run.options.gap_ms;
            tokio::time::sleep(Duration::from_millis(self.random.u64(gap / 2..=gap * 3 / 2))).await;
            let fault = Fault::draw(&mut self.random);
            match self.make_one(fault).await {
                Ok(true) => {
                    self.run.faults.fetch_add(1, Ordering::Relaxed);
                    say(format!("{:7.1} s  {fault:?}", began.elapsed().as_secs_f64()));
                }
                Ok(false) => {}
                // It is down already, from the fault before.
                Err(error) => say(format!("{:7.1} s  {fault:?} can't be: {error:#}", began.elapsed().as_secs_f64())),
            }
        }
        for replica in &self.replicas {
            replica.lines.iter().for_each(testkit::TcpProxy::mend);
        }
        Ok(self.junk)
    }

    /// Breaks it, for as long as it is to be broken. False if it was broken just now.
    async fn make_one(&mut self, fault: Fault) -> Result<bool> {
        match fault {
            Fault::Kill(part) => return self.end(part, Signal::SIGKILL),
            // PostgreSQL takes SIGTERM as «when everybody has gone».
            Fault::Stop("postgres") => return self.end("postgres", Signal::SIGINT),
            Fault::Stop(part) => return self.end(part, Signal::SIGTERM),
            Fault::Freeze(service) => {
                let pid = Pid::from_raw(self.system.pid(service)?);
                kill(pid, Signal::SIGSTOP)?;
                tokio::time::sleep(Duration::from_millis(self.random.u64(500..12_000))).await;
                kill(pid, Signal::SIGCONT)?;
            }
            Fault::Cut(replica, line) => {
                let duration = Duration::from_millis(self.random.u64(50..6_000));
                let Some(line) = self.replicas[replica].lines.get(line) else { return Ok(false) };
                line.cut();
                tokio::time::sleep(duration).await;
                line.mend();
            }
            Fault::SlowDown(replica, line) => {
                let delay = Duration::from_millis(self.random.u64(5..400));
                let duration = Duration::from_millis(self.random.u64(500..6_000));
                let Some(line) = self.replicas[replica].lines.get(line) else { return Ok(false) };
                line.slow_down(delay);
                tokio::time::sleep(duration).await;
                line.mend();
            }
            Fault::Replica(replica) => {
                let replica = &mut self.replicas[replica];
                if replica.runs() { replica.kill() } else { replica.start()? }
            }
            Fault::Fill(service) => {
                self.fill(service).await?;
            }
        }
        Ok(true)
    }

    fn end(&mut self, part: &'static str, signal: Signal) -> Result<bool> {
        if self.deaths.get(part).is_some_and(|at| at.elapsed() < BETWEEN_DEATHS) {
            return Ok(false);
        }
        kill(Pid::from_raw(self.system.pid(part)?), signal)?;
        self.deaths.insert(part, Instant::now());
        Ok(true)
    }

    async fn fill(&mut self, service: &'static str) -> Result<()> {
        let url = self.run.file.amqp.as_deref().context("RabbitMQ runs")?;
        let fill = async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await?;
            let mut taken = 0;
            for number in 0..JUNK {
                let (queue, body) = (format!("{service}.orders"), format!("junk {number}"));
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let confirm = channel.basic_publish(
                    "".into(),
                    queue.into(),
                    options,
                    body.as_bytes(),
                    BasicProperties::default().with_delivery_mode(2),
                );
                taken += u64::from(confirm.await?.await?.is_ack());
            }
            connection.close(200, "done".into()).await?;
            Ok::<u64, lapin::Error>(taken)
        };
        let taken = tokio::time::timeout(Duration::from_secs(20), fill).await.context("the broker is away")??;
        *self.junk.entry(service).or_default() += taken;
        Ok(())
    }
}
