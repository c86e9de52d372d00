//! The settings that only the CRM has.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use common::messaging::MessagingSettings;

use crate::orders::deadlines::Deadlines;

/// Messages and deadlines.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// How it talks to the MES.
    #[command(flatten)]
    pub messaging: MessagingSettings,
    /// How long an order may be in each status, and all of it may take, as a TOML file; without it, the defaults hold
    #[arg(long, env)]
    pub deadlines_file: Option<PathBuf>,
    /// Seconds between two searches for orders that take too long
    #[arg(long, env, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub stuck_check_seconds: u64,
}

impl Settings {
    pub(crate) const fn stuck_check_period(&self) -> Duration {
        Duration::from_secs(self.stuck_check_seconds)
    }

    pub(crate) fn deadlines(&self) -> anyhow::Result<Deadlines> {
        let Some(path) = &self.deadlines_file else {
            return Ok(Deadlines::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("DEADLINES_FILE: {} can't be read", path.display()))?;
        Deadlines::read(&text).context("DEADLINES_FILE")
    }
}
