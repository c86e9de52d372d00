//! Drives orders through their whole life while faults are injected, and then counts what was attempted, acknowledged,
//! lost, duplicated, stuck, recovered and unexpected.
//!
//! Three sources are compared: the responses that clients got, the two databases, and the log. The parts are named as in
//! Jepsen: `workload` makes the orders, `nemesis` injects faults by a seed, `checker` counts.

mod checker;
mod nemesis;
mod replica;
mod retrying_client;
mod run;
mod workload;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result};
use local::System;

pub use checker::Tally;
pub use run::Options;

use nemesis::Nemesis;
use run::{Run, say};
use workload::Workload;

/// Starts a system, injects faults while orders go through it, and counts.
///
/// # Errors
///
/// The system doesn't start, doesn't recover, or can't be read.
pub async fn run(options: &Options) -> Result<Tally> {
    let began = Instant::now();
    let system_options = local::Options { data: options.data.clone(), ..local::Options::default() };
    let system = tokio::task::spawn_blocking(move || System::start(&system_options)).await??;
    let system = Arc::new(system);
    let run = Arc::new(Run {
        options: options.clone(),
        file: system.file().clone(),
        faults: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    });
    say(format!("the system runs, after {} s", began.elapsed().as_secs()));

    let nemesis = Nemesis::prepare(&run, Arc::clone(&system)).await?;
    let workload = Workload::prepare(&run, nemesis.clients()).await?;
    let nemesis = tokio::spawn(nemesis.run());
    let journeys = workload.run().await;
    run.is_over.store(true, Ordering::Relaxed);
    let junk = nemesis.await.context("the nemesis panicked")??;
    say(format!("{} orders, {} faults; counting", journeys.len(), run.fault_count()));

    let tally = checker::check(&run, &journeys, junk, began.elapsed()).await?;
    tokio::task::spawn_blocking(move || system.stop()).await??;
    Ok(tally)
}
