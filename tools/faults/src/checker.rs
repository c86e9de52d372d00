//! Counts: the clients' answers against the databases, the queues and the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::atomic::Ordering,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use common::domain::OrderStatus;
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use reconcile::{Finding, Kind, Log, Scope, Sources};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::{Run, patiently, say, workload::Journey};

/// Everything gets so long to come to rest.
const REST: Duration = Duration::from_secs(300);
/// More examples of what is wrong help nobody.
const SHOWN: usize = 20;

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Orders that clients began.
    pub attempted: u64,
    /// Changes that clients were told are done.
    pub acknowledged: u64,
    /// Of these, changes that a database that has to have them hasn't.
    pub lost: u64,
    /// Orders that are there more often than they were made, and changes with more than one record.
    pub duplicated: u64,
    /// Orders that didn't come to their end, and messages, jobs and records that still wait.
    pub stuck: u64,
    /// Requests that were answered well, but not at the first try.
    pub recovered: u64,
    /// Answers that nobody should get, and whatever else is wrong between databases and log.
    pub unexpected: u64,
    /// Changes without a record.
    pub unrecorded: u64,
    /// Things that were broken.
    pub faults: u64,
    /// Changes in both databases.
    pub changes: u64,
    /// Records of changes.
    pub records: u64,
    /// How long all of it took.
    pub duration: Duration,
    /// The first of what is wrong.
    pub examples: Vec<String>,
}

impl Tally {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.stuck + self.unexpected + self.unrecorded == 0
    }

    fn wrong(&mut self, what: impl fmt::Display) {
        if self.examples.len() < SHOWN {
            self.examples.push(what.to_string());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for example in &self.examples {
            writeln!(f, "! {example}")?;
        }
        let seconds = self.duration.as_secs();
        for (name, count) in [
            ("orders attempted", self.attempted),
            ("changes acknowledged", self.acknowledged),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("stuck", self.stuck),
            ("recovered", self.recovered),
            ("unexpected", self.unexpected),
            ("without a record", self.unrecorded),
            ("changes in the databases", self.changes),
            ("records of changes", self.records),
            ("faults", self.faults),
            ("seconds", seconds),
        ] {
            writeln!(f, "{name:<26}{count:>10}")?;
        }
        Ok(())
    }
}

/// Waits until everything is at rest, and counts.
pub(crate) async fn count(
    run: &Run,
    journeys: &[Journey],
    junk: BTreeMap<&'static str, u64>,
    duration: Duration,
) -> Result<Tally> {
    let mut tally = Tally {
        attempted: journeys.len() as u64,
        acknowledged: journeys.iter().map(|journey| journey.acknowledged.len() as u64).sum(),
        recovered: journeys.iter().map(|journey| journey.recovered).sum(),
        faults: run.faults.load(Ordering::Relaxed),
        duration,
        ..Tally::default()
    };
    for journey in journeys {
        tally.stuck += u64::from(journey.stuck.is_some());
        tally.unexpected += journey.unexpected.len() as u64;
        for what in journey.stuck.iter().chain(&journey.unexpected) {
            tally.wrong(format!("{}: {what}", journey.key));
        }
    }
    let databases = run.file.databases.as_ref().context("PostgreSQL runs")?;
    let everywhere = [("shop", &databases.shop), ("mes", &databases.mes)];
    for (name, url) in everywhere {
        let rest = patiently(REST, async || at_rest(url).await).await;
        if let Err(error) = rest {
            tally.stuck += 1;
            tally.wrong(format!("{name}: {error:#}"));
        }
    }
    for (name, url) in everywhere {
        // PostgreSQL may be coming back.
        let connection = patiently(REST, async || Ok(PgConnection::connect(url).await?)).await;
        in_database(&mut connection?, name, journeys, &mut tally).await?;
    }
    in_queues(run, &junk, &mut tally).await?;
    in_log(run, &databases.shop, &databases.mes, &mut tally).await?;
    Ok(tally)
}

/// Nothing waits to be sent, calculated or written.
async fn at_rest(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    for table in ["outbox", "journal", "price_jobs"] {
        let there: Option<String> =
            sqlx::query_scalar("SELECT to_regclass($1)::text").bind(table).fetch_one(&mut connection).await?;
        let Some(there) = there else { continue };
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {there}"));
        let waiting: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await?;
        ensure!(waiting == 0, "{waiting} rows wait in {table}");
    }
    Ok(())
}

/// Whether everything that was acknowledged is there, once, and at its end.
async fn in_database(connection: &mut PgConnection, name: &str, journeys: &[Journey], tally: &mut Tally) -> Result<()> {
    let rows = sqlx::query("SELECT order_id, status FROM order_history").fetch_all(&mut *connection).await?;
    let history: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for journey in journeys {
        let Some(order) = &journey.order else { continue };
        for status in journey.acknowledged.iter().filter(|status| is_in(name, order, **status)) {
            if !history.contains(&(order.clone(), status.name().to_owned())) {
                tally.lost += 1;
                tally.wrong(format!("{order}: {status} was acknowledged and is not in {name}"));
            }
        }
    }
    let rows = sqlx::query("SELECT comment, count(*), min(id), min(status) FROM orders GROUP BY comment");
    let attempted: BTreeSet<&str> = journeys.iter().map(|journey| journey.key.as_str()).collect();
    let end = if name == "shop" { OrderStatus::Closed } else { OrderStatus::Shipped };
    for row in rows.fetch_all(connection).await? {
        let (comment, count): (Option<String>, i64) = (row.get(0), row.get(1));
        let (order, status): (String, String) = (row.get(2), row.get(3));
        if count > 1 || !comment.as_deref().is_some_and(|comment| attempted.contains(comment)) {
            tally.duplicated += 1;
            tally.wrong(format!("{comment:?} is in {name} {count} times, as {order}"));
        }
        if status != end.name() {
            tally.stuck += 1;
            tally.wrong(format!("{order} is still {status} in {name}"));
        }
    }
    Ok(())
}

/// Whether a database has to have what was acknowledged: the MES begins when an order is submitted, and isn't told when it
/// is closed; partners' orders begin there.
fn is_in(database: &str, order: &str, status: OrderStatus) -> bool {
    let in_mes = (OrderStatus::Submitted..=OrderStatus::Shipped).contains(&status);
    database == "shop" || in_mes || (order.starts_with("P-") && status < OrderStatus::Submitted)
}

/// Whether the queues are empty, and what lies among the dead letters is what was put there to die.
async fn in_queues(run: &Run, junk: &BTreeMap<&'static str, u64>, tally: &mut Tally) -> Result<()> {
    let url = run.file.amqp.as_deref().context("RabbitMQ runs")?;
    for service in ["crm-api", "mes-api"] {
        for (queue, expected) in [
            (format!("{service}.orders"), 0),
            (format!("{service}.orders.dead-letter"), junk.get(service).copied().unwrap_or_default()),
        ] {
            let checked = patiently(REST, async || {
                let found = messages_in(url, &queue).await?;
                ensure!(found == expected, "{queue} has {found} messages, not {expected}");
                Ok(())
            });
            if let Err(error) = checked.await {
                tally.stuck += 1;
                tally.wrong(format!("{error:#}"));
            }
        }
    }
    Ok(())
}

async fn messages_in(url: &str, queue: &str) -> Result<u64> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?.message_count();
    connection.close(200, "counted".into()).await?;
    Ok(u64::from(found))
}

/// Whether the log tells the same as the databases.
async fn in_log(run: &Run, shop: &str, mes: &str, tally: &mut Tally) -> Result<()> {
    let address = run.file.elasticsearch.as_deref().context("Elasticsearch runs")?;
    let support = run.file.accounts.support.as_ref().context("there is a support account")?;
    let sources = Sources {
        shop: shop.to_owned(),
        mes: mes.to_owned(),
        log: Log::new(address, &support.login, &support.password),
    };
    // Elasticsearch may be coming back, and the shipper may be reading everything again.
    let compared = patiently(REST, async || {
        let report = reconcile::reconcile(&sources, &Scope::default(), Duration::from_secs(20)).await?;
        Ok((report.findings.is_empty(), report))
    });
    let (mut is_clean, mut report) = compared.await?;
    for _ in 0..REST.as_secs() / 20 {
        if is_clean {
            break;
        }
        say(format!("{} findings; looking again", report.findings.len()));
        report = reconcile::reconcile(&sources, &Scope::default(), Duration::from_secs(20)).await?;
        is_clean = report.findings.is_empty();
    }
    (tally.changes, tally.records) = (report.rows, report.records);
    for Finding { order, kind, place, status, detail } in &report.findings {
        match kind {
            Kind::Missing => tally.unrecorded += 1,
            Kind::Doubled => tally.duplicated += 1,
            Kind::Behind => tally.stuck += 1,
            Kind::Contradicting | Kind::Diverging => tally.unexpected += 1,
        }
        tally.wrong(format!("{order} {status} in {place}: {}: {detail}", kind.name()));
    }
    Ok(())
}
