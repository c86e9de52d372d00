//! How rate and duration grow with connections, orders and replicas.

mod connections;
mod orders;
mod plot;
mod replicas;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::say;

/// How often each place of a curve is measured, in turns with the others; the median is drawn.
const ROUNDS: usize = 3;

/// Measures all of it, and draws a picture with a file of its figures for each into this folder.
pub(crate) async fn draw(to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    say("connections:");
    connections::measure().await?.write(to, "connections")?;
    say("orders:");
    orders::measure().await?.write(to, "orders")?;
    say("replicas:");
    replicas::measure().await?.write(to, "replicas")
}
