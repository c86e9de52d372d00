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
            let mut other = command(database, script).await?;
            other
                .args(["--client", "1", "--rate", "4"])
                .args(seconds(time))
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            Some(other.spawn().context("starting pgbench")?)
        }
        None => None,
    };
    let mut command = command(database, script).await?;
    let report = report(command.args(seconds(time)).args(["--client", &connections.to_string()])).await?;
    if let Some(mut other) = other {
        let status = other.wait().await?;
        ensure!(status.success(), "pgbench with the background script ended with {status}");
    }
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

/// Runs an SQL script this many times over this many connections each.
pub(crate) async fn repeat(database: &str, script: &Path, connections: usize, times: u64) -> Result<()> {
    let mut command = command(database, script).await?;
    command.args(["--client", &connections.to_string(), "--transactions", &times.to_string()]);
    report(&mut command).await.map(drop)
}

/// A database's URL for connections with this setting.
pub(crate) fn with_setting(url: &str, name: &str, value: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options=-c%20{name}%3D{value}")
}

fn seconds(time: Duration) -> [String; 2] {
    ["--time".to_owned(), time.as_secs().to_string()]
}

async fn command(database: &str, script: &Path) -> Result<Command> {
    let mut command = Command::new(local::postgres_client("pgbench").await?);
    command.args(["--no-vacuum", "--protocol", "prepared", "--file"]);
    command.arg(script).arg(database).kill_on_drop(true);
    Ok(command)
}

/// What pgbench prints at its end.
async fn report(command: &mut Command) -> Result<String> {
    let output = command.output().await.context("starting pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
