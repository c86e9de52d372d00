//! What the nemesis, the workload and the checker of one run share.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use local::SystemFile;

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
    /// Seed of the faults: the same seed draws the same faults in the same order
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds between two faults, on average
    #[arg(long, default_value_t = 3_000)]
    pub gap_ms: u64,
    /// Folder that keeps the system's data and logs [default: a folder that is removed at the end]
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// The state of a run.
pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) file: SystemFile,
    /// Faults injected so far.
    pub(crate) faults: AtomicU64,
    /// Set when the workload is done.
    pub(crate) is_over: AtomicBool,
}

impl Run {
    pub(crate) fn fault_count(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Reports progress on standard error; standard output has only the counts.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
