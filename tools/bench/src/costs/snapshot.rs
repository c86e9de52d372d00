//! What the system has used so far.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};

use super::PARTS;
use crate::{process, testbed::Testbed};

/// What the parts have used until a moment.
pub(super) struct Snapshot {
    /// The processor time of each of [`PARTS`].
    pub(super) processor: Vec<Duration>,
    /// Bytes of PostgreSQL's write-ahead log.
    pub(super) wal: f64,
    /// Bytes of the tables and indices of the shop's and of the MES's database.
    pub(super) databases: [f64; 2],
    /// Rows of tables that keep an order's life, in both.
    pub(super) rows: f64,
    /// Bytes that RabbitMQ has written.
    pub(super) broker: f64,
    pub(super) log: Log,
}

/// The services' logs.
pub(super) struct Log {
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

impl Snapshot {
    pub(super) async fn take(testbed: &Testbed) -> Result<Self> {
        let processor = PARTS.iter().map(|part| processor(testbed, part)).collect::<Result<_>>()?;
        let databases = testbed.databases()?;
        let (mut shop, mut mes) =
            (PgConnection::connect(&databases.shop).await?, PgConnection::connect(&databases.mes).await?);
        let figure = async |connection: &mut PgConnection, query: &'static str| -> Result<f64> {
            let figure: i64 = sqlx::query_scalar(query).fetch_one(connection).await?;
            Ok(figure as f64)
        };
        const WAL: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        const BYTES: &str = "SELECT pg_database_size(current_database())";
        const ROWS: &str = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM order_history) + (SELECT count(*) FROM inbox)";
        Ok(Self {
            processor,
            wal: figure(&mut shop, WAL).await?,
            databases: [figure(&mut shop, BYTES).await?, figure(&mut mes, BYTES).await?],
            rows: figure(&mut shop, ROWS).await? + figure(&mut mes, ROWS).await?,
            broker: written(testbed, "rabbitmq")?,
            log: log(testbed)?,
        })
    }
}

/// The processor time of a part's processes, those included that have ended.
fn processor(testbed: &Testbed, part: &str) -> Result<Duration> {
    // One that ends just now is among its parent's ended children.
    Ok(testbed.pids(part)?.into_iter().filter_map(|pid| process::cpu_with_ended_children(pid).ok()).sum())
}

/// The bytes that a part's processes have had written to the disk.
fn written(testbed: &Testbed, part: &str) -> Result<f64> {
    let of_process = |pid: i32| -> Result<f64> {
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        bytes.with_context(|| format!("/proc/{pid}/io doesn't say how much was written"))
    };
    testbed.pids(part)?.into_iter().map(of_process).sum()
}

/// The size of the services' logs.
pub(super) fn log(testbed: &Testbed) -> Result<Log> {
    let mut log = Log { bytes: 0, lines: 0 };
    for item in fs::read_dir(&testbed.file().logs)? {
        let path = item?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(path)?;
            log.bytes += text.len() as u64;
            log.lines += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
    Ok(log)
}
