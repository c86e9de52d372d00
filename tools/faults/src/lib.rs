//! Drives orders through their whole life while faults are injected, and then says which promises were broken, and counts what
//! was attempted, acknowledged, lost, duplicated, stuck, recovered and unexpected.
//!
//! Three sources are compared: the history of what clients called and were told, the two databases, and the log. The parts are
//! named as in Jepsen: `workload` makes the orders, `nemesis` injects the faults of a `plan`, `checker` counts, and holds the
//! `history` against the `promises`.

mod background;
mod checker;
mod clock;
mod disk;
mod evidence;
mod history;
mod models;
mod nemesis;
mod plan;
mod promises;
mod replica;
mod retrying_client;
mod run;
mod slow_disk;
mod user;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use common::planted;
use local::System;
use tokio::sync::watch;

pub use checker::Tally;
pub use run::Options;

use history::Recorder;
use nemesis::Nemesis;
use run::{Run, say};
use workload::Workload;

/// Starts a system, injects faults while orders go through it, and counts. A run that breaks a promise leaves what it has in
/// the folder for evidence.
///
/// # Errors
///
/// The system doesn't start, doesn't recover, or can't be read.
pub async fn run(options: &Options) -> Result<Tally> {
    say(format!("seed {}", options.seed));
    let folder = empty_folder(&options.evidence, options.seed)?;
    // Orders of another seed would be counted as this one's.
    let data = options.data.as_ref().map(|data| empty_folder(data, options.seed)).transpose()?;
    let system_options = local::Options {
        data,
        settings: options.bug.iter().map(|bug| (planted::VARIABLE.to_owned(), bug.clone())).collect(),
        features: options.bug.as_ref().map(|_| "common/planted-bugs".to_owned()),
        ..local::Options::default()
    };
    let began = Instant::now();
    let system = tokio::task::spawn_blocking(move || System::start(&system_options)).await??;
    say(format!("the system runs, after {} s", began.elapsed().as_secs()));
    let system = Arc::new(system);
    let tally = tokio::select! {
        tally = run_in(&system, options, &folder, began) => tally,
        () = system.ended() => Err(anyhow!("the system has ended before the run")),
    };
    // Says why, if the system has ended by itself.
    tokio::task::spawn_blocking(move || system.stop()).await??;
    let tally = tally?;
    if tally.is_clean() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(tally)
}

/// A seed's own folder below this one, without what an earlier run left.
fn empty_folder(below: &Path, seed: u64) -> Result<PathBuf> {
    let folder = below.join(format!("seed-{seed}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

async fn run_in(system: &Arc<System>, options: &Options, folder: &Path, began: Instant) -> Result<Tally> {
    let path = folder.join("history.jsonl");
    let run = Arc::new(Run {
        options: options.clone(),
        file: system.file().clone(),
        faults: AtomicU64::new(0),
        recorder: Arc::new(Recorder::create(&path)?),
        over: watch::Sender::new(false),
    });
    let nemesis = Nemesis::prepare(&run, Arc::clone(system), &folder.join("plan.jsonl")).await?;
    let workload = Workload::prepare(&run, nemesis.clients()).await?;
    let nemesis = tokio::spawn(nemesis.run());
    let journeys = workload.run().await?;
    let junk = nemesis.await.context("the nemesis panicked")??;
    run.recorder.flush()?;
    say(format!("{} orders, {} faults; counting", journeys.len(), run.fault_count()));

    let history = history::read(&path)?;
    let tally = checker::check(&run, &journeys, &history, junk, began.elapsed()).await?;
    if !tally.is_clean() {
        evidence::collect(&run, &tally, folder).await?;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_a_folder_of_its_own_that_is_emptied() -> Result<()> {
        let below = std::env::temp_dir().join(format!("alexandrite-seeds-{}", std::process::id()));
        let first = empty_folder(&below, 1)?;
        fs::write(first.join("left"), "")?;
        let second = empty_folder(&below, 2)?;
        assert!(second != first && first.join("left").exists());
        assert_eq!(empty_folder(&below, 1)?, first);
        assert!(!first.join("left").exists());
        Ok(fs::remove_dir_all(below)?)
    }
}
