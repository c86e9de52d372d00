//! Compares the histories of orders in the databases with the records in the log.
//!
//! There are three streams, each sorted by order: the history in the shop's database, the history in the MES's, and the
//! records in Elasticsearch. They are merged order by order, so the memory doesn't depend on the number of orders.
//! Orders with findings are compared again until their records and messages have had time to arrive.
//!
//! A row of a history that has an `event_id` has exactly one record, under that id. A row without one was received from
//! the other database's service, whose row has it.

mod compare;
mod finding;
mod history;
mod records;
mod scope;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sqlx::{Connection as _, PgConnection};

pub use finding::{Finding, Kind};
pub use records::Log;
pub use scope::Scope;

use compare::Order;
use history::Row;
use records::Record;

/// The sources of a comparison.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The shop's database, as `postgres://…`, with an account that may read it.
    pub shop: String,
    /// The MES's database, in the same form.
    pub mes: String,
    /// The records.
    pub log: Log,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of compared orders.
    pub orders: u64,
    /// The number of rows in both histories.
    pub rows: u64,
    /// The number of records of changes.
    pub records: u64,
    /// The discrepancies, sorted by order.
    pub findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.rows += other.rows;
        self.records += other.records;
        self.findings.extend(other.findings);
    }
}

/// The maximum number of orders that are compared again. More of them indicate a general failure.
const MAX_SUSPECTS: usize = 10_000;
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Compares the sources. Orders with findings are compared again for `patience`, because a record can be found only a
/// second or two after it was written.
///
/// # Errors
///
/// A database or Elasticsearch can't be read.
pub async fn reconcile(sources: &Sources, scope: &Scope, patience: Duration) -> Result<Report> {
    let deadline = Instant::now() + patience;
    let mut report = Report::default();
    let mut scope = scope.clone();
    loop {
        let Compared { consistent, inconsistent } = compare(sources, &scope).await?;
        report.add(consistent);
        let suspects: BTreeSet<_> = inconsistent.findings.iter().map(|finding| finding.order.clone()).collect();
        if suspects.is_empty() || suspects.len() > MAX_SUSPECTS || Instant::now() >= deadline {
            report.add(inconsistent);
            return Ok(report);
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
        scope.orders = Some(suspects.into_iter().collect());
    }
}

/// A comparison, in two parts: the orders with findings may be consistent later, and are then counted as they are then.
#[derive(Default)]
struct Compared {
    consistent: Report,
    inconsistent: Report,
}

async fn compare(sources: &Sources, scope: &Scope) -> Result<Compared> {
    let mut shop = PgConnection::connect(&sources.shop).await.context("the shop's database")?;
    let mut mes = PgConnection::connect(&sources.mes).await.context("the MES's database")?;
    let search = sources.log.open().await?;
    let outcome = async {
        let mut rows_of_shop = Grouped::of(history::stream(&mut shop, scope), |row: &Row| &row.order).await?;
        let mut rows_of_mes = Grouped::of(history::stream(&mut mes, scope), |row: &Row| &row.order).await?;
        let mut records = Grouped::of(search.stream(scope), |record: &Record| &record.order).await?;
        let mut compared = Compared::default();
        while let Some(id) = [rows_of_shop.next_order(), rows_of_mes.next_order(), records.next_order()]
            .into_iter()
            .flatten()
            .min()
            .map(str::to_owned)
        {
            let order = Order {
                shop: rows_of_shop.take(&id).await?,
                mes: rows_of_mes.take(&id).await?,
                records: records.take(&id).await?,
                id,
            };
            let findings = order.findings(scope);
            let report = if findings.is_empty() { &mut compared.consistent } else { &mut compared.inconsistent };
            report.add(Report {
                orders: 1,
                rows: (order.shop.len() + order.mes.len()) as u64,
                records: order.records.len() as u64,
                findings,
            });
        }
        anyhow::Ok(compared)
    };
    let outcome = outcome.await;
    search.close().await;
    outcome
}

/// A stream that is sorted by order, and read order by order.
struct Grouped<'a, T> {
    stream: BoxStream<'a, Result<T>>,
    next: Option<T>,
    order_of: fn(&T) -> &str,
}

impl<'a, T> Grouped<'a, T> {
    async fn of(stream: impl Stream<Item = Result<T>> + Send + 'a, order_of: fn(&T) -> &str) -> Result<Self> {
        let mut stream = stream.boxed();
        let next = stream.try_next().await?;
        Ok(Self { stream, next, order_of })
    }

    fn next_order(&self) -> Option<&str> {
        self.next.as_ref().map(self.order_of)
    }

    /// Reads all items of this order; none if it isn't the next one.
    async fn take(&mut self, order: &str) -> Result<Vec<T>> {
        let mut taken = Vec::new();
        while self.next_order() == Some(order) {
            let next = self.stream.try_next().await?;
            taken.extend(std::mem::replace(&mut self.next, next));
        }
        Ok(taken)
    }
}
