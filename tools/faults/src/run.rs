//! What the nemesis, the workload and the checker of one run share.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::planted::Bug;
use local::SystemFile;
use tokio::sync::watch;

use crate::history::Recorder;

/// The flags of a fault run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Orders that are attempted at least
    #[arg(long, default_value_t = 10_000)]
    pub orders: u64,
    /// Faults that are injected at least
    #[arg(long, default_value_t = 100)]
    pub faults: u64,
    /// Orders that are under way at the same time
    #[arg(long, default_value_t = 24)]
    pub clients: usize,
    /// Seed of the plan of faults: the same seed makes the same plan
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds between two faults, on average
    #[arg(long, default_value_t = 3_000)]
    pub gap_ms: u64,
    /// Seconds until a request without a response, a step of another system or a row that waits counts as stuck
    #[arg(long, default_value_t = 600)]
    pub patience: u64,
    /// A bug that is planted in the services, and that the run has to find
    #[arg(long, value_parser = Bug::ALL.map(Bug::name))]
    pub bug: Option<String>,
    /// A plan of faults, as a run writes it, in place of the seed's
    #[arg(long)]
    pub plan: Option<PathBuf>,
    /// Folder with the services' programs of the version before: replicas change between both versions
    #[arg(long)]
    pub previous: Option<PathBuf>,
    /// Folder that keeps the data and logs of each seed's system, in `seed-N`, which is emptied first [default: a folder that is
    /// removed at the end]
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder where a run that breaks a promise leaves its history, plan, logs, databases and trails
    #[arg(long, default_value = "target/faults")]
    pub evidence: PathBuf,
}

impl Options {
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// The state of a run.
pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) file: SystemFile,
    /// Faults injected so far.
    pub(crate) faults: AtomicU64,
    pub(crate) recorder: Arc<Recorder>,
    /// Whether the workload is done.
    pub(crate) over: watch::Sender<bool>,
}

impl Run {
    pub(crate) fn fault_count(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Ends what goes on beside the workload.
    pub(crate) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Whether an order with this number is to be created.
    pub(crate) fn needs(&self, number: u64) -> bool {
        let Options { orders, faults, plan, .. } = &self.options;
        number < *orders || (plan.is_none() && self.fault_count() < *faults)
    }

    /// Waits for so long, or until the workload is done. Returns whether it is not.
    pub(crate) async fn goes_on_after(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.over.subscribe().wait_for(|over| *over)).await.is_err()
    }
}

/// Reports progress on standard error; standard output has only the counts.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
