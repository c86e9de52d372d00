//! Compares what the databases know of orders with what the log says about them.
//!
//! Three streams, each sorted by order: the history in the shop's database, the history in the MES's, and the records in
//! Elasticsearch. They are merged order by order, so any number of orders takes the same memory. What seems wrong is looked
//! at again until it has had time to arrive, and only what stays is reported.
//!
//! A row of a history that has an `event_id` has exactly one record, under that id. A row without one was taken over from
//! the other system, whose row has it.

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

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The shop's database, as `postgres://…`; reading is enough.
    pub shop: String,
    /// The MES's.
    pub mes: String,
    /// The records.
    pub log: Log,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many orders were compared.
    pub orders: u64,
    /// How many changes the two histories have.
    pub rows: u64,
    /// How many records report changes.
    pub records: u64,
    /// What is wrong, by order.
    pub findings: Vec<Finding>,
}

/// More orders than this aren't looked at again: something is wrong as a whole.
const LOOKED_AT_AGAIN: usize = 10_000;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Compares. What seems wrong gets `patience` to arrive: a record is found a second or two after it was written.
///
/// # Errors
///
/// If a database or Elasticsearch can't be read.
pub async fn reconcile(sources: &Sources, scope: &Scope, patience: Duration) -> Result<Report> {
    let mut report = look(sources, scope).await?;
    let deadline = Instant::now() + patience;
    while !report.findings.is_empty() && Instant::now() < deadline {
        let suspects: BTreeSet<_> = report.findings.iter().map(|finding| finding.order.clone()).collect();
        if suspects.len() > LOOKED_AT_AGAIN {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let again = Scope { orders: Some(suspects.into_iter().collect()), ..scope.clone() };
        report.findings = look(sources, &again).await?.findings;
    }
    Ok(report)
}

async fn look(sources: &Sources, scope: &Scope) -> Result<Report> {
    let mut shop = PgConnection::connect(&sources.shop).await.context("the shop's database")?;
    let mut mes = PgConnection::connect(&sources.mes).await.context("the MES's database")?;
    let search = sources.log.open().await?;
    let outcome = async {
        let mut rows_of_shop = Grouped::of(history::stream(&mut shop, scope)).await?;
        let mut rows_of_mes = Grouped::of(history::stream(&mut mes, scope)).await?;
        let mut records = Grouped::of(search.stream(scope)).await?;
        let mut report = Report::default();
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
            report.orders += 1;
            report.rows += (order.shop.len() + order.mes.len()) as u64;
            report.records += order.records.len() as u64;
            report.findings.extend(order.findings(scope));
        }
        anyhow::Ok(report)
    };
    let outcome = outcome.await;
    search.close().await;
    outcome
}

/// What belongs to an order.
trait OfOrder {
    fn order(&self) -> &str;
}

impl OfOrder for Row {
    fn order(&self) -> &str {
        &self.order
    }
}

impl OfOrder for Record {
    fn order(&self) -> &str {
        &self.order
    }
}

/// A sorted stream, taken order by order.
struct Grouped<'a, T> {
    stream: BoxStream<'a, Result<T>>,
    next: Option<T>,
}

impl<'a, T: OfOrder> Grouped<'a, T> {
    async fn of(stream: impl Stream<Item = Result<T>> + Send + 'a) -> Result<Self> {
        let mut stream = stream.boxed();
        let next = stream.try_next().await?;
        Ok(Self { stream, next })
    }

    fn next_order(&self) -> Option<&str> {
        self.next.as_ref().map(T::order)
    }

    /// All that belongs to this order, if it is the next one.
    async fn take(&mut self, order: &str) -> Result<Vec<T>> {
        let mut taken = Vec::new();
        while self.next_order() == Some(order) {
            let next = self.stream.try_next().await?;
            taken.extend(std::mem::replace(&mut self.next, next));
        }
        Ok(taken)
    }
}
