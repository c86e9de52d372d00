//! pgbench, PostgreSQL's own benchmark: the rate of the database alone.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::process::Command;

/// What pgbench did.
pub(crate) struct Outcome {
    /// Transactions a second.
    pub(crate) rate: f64,
    /// Its own processor seconds for 1,000 transactions, without PostgreSQL's.
    pub(crate) cpu: f64,
}

/// Runs an SQL script over this many connections, and a background script four times a second at the same time.
pub(crate) async fn run(
    database: &str,
    script: &Path,
    background: Option<&Path>,
    connections: usize,
    time: Duration,
) -> Result<Outcome> {
    let before = cpu_of_children()?;
    let other = match background {
        Some(script) => {
            let mut other = command(database, script, time).await?;
            other.args(["--client", "1", "--rate", "4"]).stdout(Stdio::null()).stderr(Stdio::null());
            Some(other.spawn().context("starting pgbench")?)
        }
        None => None,
    };
    let mut command = command(database, script, time).await?;
    let output = command.args(["--client", &connections.to_string()]).output().await.context("starting pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    if let Some(mut other) = other {
        let status = other.wait().await?;
        ensure!(status.success(), "pgbench with the background script ended with {status}");
    }
    let report = String::from_utf8(output.stdout)?;
    let rate = report.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    let rate: f64 = rate.with_context(|| format!("pgbench reported no rate: {report}"))?;
    let cpu = (cpu_of_children()? - before) * 1000.0 / (rate * time.as_secs_f64());
    Ok(Outcome { rate, cpu })
}

/// The processor seconds of all children that have ended.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

async fn command(database: &str, script: &Path, time: Duration) -> Result<Command> {
    let mut command = Command::new(local::postgres_client("pgbench").await?);
    command.args(["--no-vacuum", "--protocol", "prepared", "--time", &time.as_secs().to_string(), "--file"]);
    command.arg(script).arg(database).kill_on_drop(true);
    Ok(command)
}
