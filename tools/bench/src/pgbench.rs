//! pgbench, PostgreSQL's own benchmark: the rate of the database alone.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

/// Runs an SQL script over this many connections, and a background script four times a second at the same time. Returns
/// the first script's transactions a second.
pub(crate) async fn run(
    database: &str,
    script: &Path,
    background: &Path,
    connections: usize,
    time: Duration,
) -> Result<f64> {
    let mut other = command(database, background, time).await?;
    other.args(["--client", "1", "--rate", "4"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut other = other.spawn().context("starting pgbench")?;
    let mut command = command(database, script, time).await?;
    let output = command.args(["--client", &connections.to_string()]).output().await.context("starting pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let status = other.wait().await?;
    ensure!(status.success(), "pgbench with the background script ended with {status}");
    let report = String::from_utf8(output.stdout)?;
    let rate = report.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    rate.with_context(|| format!("pgbench reported no rate: {report}"))
}

async fn command(database: &str, script: &Path, time: Duration) -> Result<Command> {
    let mut command = Command::new(local::postgres_client("pgbench").await?);
    command.args(["--no-vacuum", "--protocol", "prepared", "--time", &time.as_secs().to_string(), "--file"]);
    command.arg(script).arg(database).kill_on_drop(true);
    Ok(command)
}
