//! The settings that only this service has.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use common::messaging::MessagingSettings;
use mesh::Limits;

/// The settings that only the MES has.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// How it talks to RabbitMQ.
    #[command(flatten)]
    pub messaging: MessagingSettings,
    /// A file of materials and prices, instead of those that the program comes with
    #[arg(long, env)]
    pub prices_file: Option<PathBuf>,
    /// Prices calculated at the same time; as many as there are cores unless set, and 0 leaves them to other processes
    #[arg(long, env, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub price_workers: Option<u16>,
    /// Seconds after which the job of a worker that died may be claimed by another one
    #[arg(long, env, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub price_lease_seconds: u32,
    /// Milliseconds between two searches for prices to calculate
    #[arg(long, env, default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub price_poll_ms: u64,
    /// Millimetres that the largest extent of a model has at least; a smaller one was most likely drawn in another unit
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub model_smallest_mm: u32,
    /// Millimetres that the largest extent of a model has at most; a larger one was most likely drawn in another unit
    #[arg(long, env, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub model_largest_mm: u32,
}

impl Settings {
    pub(crate) fn model_limits(&self) -> Limits {
        Limits {
            smallest_mm: self.model_smallest_mm.into(),
            largest_mm: self.model_largest_mm.into(),
            ..Limits::default()
        }
    }

    pub(crate) fn price_workers(&self) -> usize {
        match self.price_workers {
            Some(workers) => usize::from(workers),
            None => std::thread::available_parallelism().map_or(2, usize::from),
        }
    }

    pub(crate) fn price_lease(&self) -> Duration {
        Duration::from_secs(self.price_lease_seconds.into())
    }

    pub(crate) const fn price_poll(&self) -> Duration {
        Duration::from_millis(self.price_poll_ms)
    }
}
