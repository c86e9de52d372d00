//! pgbench, which comes with PostgreSQL: how fast the database alone is with the same statements.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

/// Runs a script of SQL over so many connections; gives the transactions a second. `beside` is another script, which runs
/// four times a second meanwhile.
pub(crate) async fn run(
    database: &str,
    script: &Path,
    beside: &Path,
    connections: usize,
    time: Duration,
) -> Result<f64> {
    let mut other = pgbench(database, beside, time)?;
    other.args(["--client", "1", "--rate", "4"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut other = other.spawn().context("starting pgbench")?;
    let mut command = pgbench(database, script, time)?;
    let output = command.args(["--client", &connections.to_string()]).output().await.context("starting pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let status = other.wait().await?;
    ensure!(status.success(), "the script beside it ended with {status}");
    let said = String::from_utf8(output.stdout)?;
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    rate.with_context(|| format!("pgbench told no rate: {said}"))
}

fn pgbench(database: &str, script: &Path, time: Duration) -> Result<Command> {
    let program = local::postgres_programs().context("PostgreSQL is not installed")?.join("pgbench");
    let mut command = Command::new(program);
    command.args(["--no-vacuum", "--protocol", "prepared", "--time", &time.as_secs().to_string(), "--file"]);
    command.arg(script).arg(database).kill_on_drop(true);
    Ok(command)
}
