//! `reconcile`: compares the logs with the databases.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, bail};
use comfy_table::Table;
use reconcile::{Finding, Log, Scope, Sources};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::commands::log_flags::authorities;
use crate::system::system_file::SystemFile;
use crate::terminal::{print, table};

/// The limit for a new record to be found.
const PATIENCE: Duration = Duration::from_secs(20);
/// The limit of the table's rows.
const SHOWN: usize = 200;

/// The earliest time of the changes to compare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartTime(OffsetDateTime);

impl FromStr for StartTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self(moment));
        }
        let unit = text.chars().last().and_then(|unit| "smhd".find(unit)).map(|unit| [1, 60, 3_600, 86_400][unit]);
        let count = text.get(..text.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
        let ago = unit.zip(count).map(|(unit, count)| time::Duration::seconds(unit * i64::from(count)));
        let ago = ago.ok_or("write 2026-11-23T00:00:00Z, or 90m, 24h, 7d")?;
        Ok(Self(OffsetDateTime::now_utc() - ago))
    }
}

/// The addresses of a running system's orders and records.
fn sources(file: &SystemFile) -> Result<Sources> {
    let databases = file.running_databases()?;
    let (address, support) = file.running_elasticsearch()?;
    Ok(Sources {
        shop: databases.shop.clone(),
        mes: databases.mes.clone(),
        log: Log::new(address, &support.login, &support.password, &authorities(file.ca_file.as_deref())?)?,
    })
}

/// Compares and prints the findings; fails if there are any.
pub(crate) async fn reconcile(data: &Path, orders: Vec<String>, since: Option<StartTime>) -> Result<()> {
    let sources = sources(&SystemFile::read(data)?)?;
    let scope = Scope { orders: (!orders.is_empty()).then_some(orders), since: since.map(|since| since.0) };
    let report = reconcile::reconcile(&sources, &scope, PATIENCE).await?;
    if !report.findings.is_empty() {
        print::out(findings(&report.findings));
    }
    print::out(format_args!(
        "{} orders, {} changes, {} records of changes: {} findings",
        report.orders,
        report.rows,
        report.records,
        report.findings.len()
    ));
    if !report.findings.is_empty() {
        bail!("the logs and the databases disagree");
    }
    Ok(())
}

fn findings(findings: &[Finding]) -> Table {
    let mut table = table::with_header(["order", "finding", "where", "status", "what"]);
    table.add_rows(findings.iter().take(SHOWN).map(|finding| {
        [&finding.order, finding.kind.name(), finding.place, &finding.status, &finding.detail].map(str::to_owned)
    }));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_can_be_written_as_itself_or_as_how_long_ago() {
        let since = |text: &str| StartTime::from_str(text).map(|since| since.0);
        assert_eq!(since("2026-11-23T00:00:00Z").map(OffsetDateTime::unix_timestamp), Ok(1_795_392_000));
        let ago = OffsetDateTime::now_utc() - since("90m").expect("an hour and a half ago");
        assert!((ago.whole_minutes() - 90).abs() <= 1, "{ago}");
        for nonsense in ["", "m", "yesterday", "-1h", "1y"] {
            assert!(since(nonsense).is_err(), "{nonsense}");
        }
    }
}
