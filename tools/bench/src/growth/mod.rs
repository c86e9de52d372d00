//! How rates and durations grow with connections, orders and replicas.

mod connections;
mod orders;
mod plot;
mod replicas;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::progress::say;

/// Measures all curves, and writes a plot and a file of its figures for each topic into this folder.
pub(crate) async fn plot_all(to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    say("connections:");
    connections::measure().await?.write(to, "connections")?;
    say("orders:");
    orders::measure().await?.write(to, "orders")?;
    say("replicas:");
    replicas::measure().await?.write(to, "replicas")
}
