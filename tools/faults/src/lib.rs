//! Drives orders through their whole life while everything around them breaks, and then counts what was attempted,
//! acknowledged, lost, duplicated, stuck, recovered and unexpected.
//!
//! Three kinds of truth are compared: what clients were answered, what the two databases hold, and what the log says.
//! [`workload`] makes the orders, [`nemesis`] breaks things by a seed, [`checker`] counts.

mod checker;
mod nemesis;
mod replica;
mod retrying_client;
mod workload;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use local::{System, SystemFile};

pub use checker::Tally;

use nemesis::Mischief;
use workload::Clients;

/// How long and how hard.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Orders that are attempted at least
    #[arg(long, default_value_t = 10_000)]
    pub orders: u64,
    /// Faults that happen at least
    #[arg(long, default_value_t = 100)]
    pub faults: u64,
    /// Orders that are under way at the same time
    #[arg(long, default_value_t = 24)]
    pub clients: usize,
    /// What is broken when: the same number gives the same faults in the same order
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds between two faults, on average
    #[arg(long, default_value_t = 3_000)]
    pub gap_ms: u64,
    /// Where the system's data goes and stays, its logs among it [default: a folder that is removed in the end]
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// What everybody who takes part knows.
struct Run {
    options: Options,
    file: SystemFile,
    /// Faults so far.
    faults: AtomicU64,
    /// Set when the clients are done.
    is_over: AtomicBool,
}

impl Run {
    fn needs_more_faults(&self) -> bool {
        self.faults.load(Ordering::Relaxed) < self.options.faults
    }
}

/// Starts a system, breaks it while orders go through it, and counts.
///
/// # Errors
///
/// If the system doesn't start, doesn't come back, or can't be looked into.
pub async fn run(options: &Options) -> Result<Tally> {
    let began = Instant::now();
    let started = local::Options { data: options.data.clone(), ..local::Options::default() };
    let system = tokio::task::spawn_blocking(move || System::start(&started)).await??;
    let system = Arc::new(system);
    let run = Arc::new(Run {
        options: options.clone(),
        file: system.file().clone(),
        faults: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    });
    say(format!("the system runs, after {} s", began.elapsed().as_secs()));

    let mischief = Mischief::prepare(&run, Arc::clone(&system)).await?;
    let clients = Clients::prepare(&run, mischief.doors()).await?;
    let breaking = tokio::spawn(mischief.make());
    let journeys = clients.order().await;
    run.is_over.store(true, Ordering::Relaxed);
    let junk = breaking.await.context("the mischief")??;
    say(format!("{} orders, {} faults; counting", journeys.len(), run.faults.load(Ordering::Relaxed)));

    let tally = checker::count(&run, &journeys, junk, began.elapsed()).await?;
    tokio::task::spawn_blocking(move || system.stop()).await??;
    Ok(tally)
}

fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Asks until the answer is `Ok`, or the time is over; then gives the last answer.
async fn patiently<T>(patience: Duration, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(250)).await,
            answer => return answer,
        }
    }
}
