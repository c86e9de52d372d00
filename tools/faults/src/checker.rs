//! The checker: holds the history against the promises, and the acknowledged changes against the databases, the queues and the
//! log, and counts.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use catalogue::{Action, Service, field};
use common::domain::OrderStatus;
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use reconcile::{Finding, Kind, Log, Scope, Sources};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, PgConnection, Row as _};
use testkit::search::Search;

use crate::{
    history::Operation,
    nemesis::Junk,
    promises::{self, Violation},
    run::{Run, say},
    user::Failure,
    workload::Journey,
};

const BETWEEN_CHECKS: Duration = Duration::from_millis(250);
const MOST_EXAMPLES: usize = 20;

/// The counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Orders that clients began to create.
    pub attempted: u64,
    /// Changes that a response acknowledged.
    pub acknowledged: u64,
    /// Acknowledged changes that are missing in a database that must have them.
    pub lost: u64,
    /// Orders that exist more often than they were created, and changes with more than one record.
    pub duplicated: u64,
    /// Orders that didn't reach their last status, and messages, jobs and records that still wait.
    pub stuck: u64,
    /// Requests that succeeded after a retry.
    pub recovered: u64,
    /// Responses that the request can't have, and contradictions between the databases and the log.
    pub unexpected: u64,
    /// Changes without a record.
    pub unrecorded: u64,
    /// Histories of orders, lists and sessions that break a promise.
    pub illegal: u64,
    /// Calls of clients in the history, each try for itself.
    pub operations: u64,
    /// Faults that were injected.
    pub faults: u64,
    /// Changes in both databases.
    pub changes: u64,
    /// Records of changes.
    pub records: u64,
    /// Time from the start of the system to the last response.
    pub duration: Duration,
    /// The first 20 violations.
    pub examples: Vec<String>,
}

impl Tally {
    /// Whether there is no violation.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.stuck + self.unexpected + self.unrecorded + self.illegal == 0
    }

    fn example(&mut self, violation: impl fmt::Display) {
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(violation.to_string());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for example in &self.examples {
            writeln!(f, "! {example}")?;
        }
        for (name, count) in [
            ("orders attempted", self.attempted),
            ("changes acknowledged", self.acknowledged),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("stuck", self.stuck),
            ("recovered", self.recovered),
            ("unexpected", self.unexpected),
            ("without a record", self.unrecorded),
            ("illegal histories", self.illegal),
            ("operations in the history", self.operations),
            ("changes in the databases", self.changes),
            ("records of changes", self.records),
            ("faults", self.faults),
            ("seconds", self.duration.as_secs()),
        ] {
            writeln!(f, "{name:<26}{count:>10}")?;
        }
        Ok(())
    }
}

/// Waits until the system is idle, and counts.
pub(crate) async fn check(
    run: &Run,
    journeys: &[Journey],
    history: &[Operation],
    junk: Junk,
    duration: Duration,
) -> Result<Tally> {
    let mut tally = Tally {
        attempted: journeys.len() as u64,
        acknowledged: journeys.iter().map(|journey| journey.acknowledged.len() as u64).sum(),
        recovered: journeys.iter().map(|journey| journey.recovered).sum(),
        faults: run.fault_count(),
        operations: history.len() as u64,
        duration,
        ..Tally::default()
    };
    for violation in promises::check(history, run.options.patience()) {
        tally.illegal += 1;
        tally.example(violation);
    }
    for journey in journeys {
        let (count, failure) = match &journey.failure {
            None => continue,
            Some(Failure::Stuck(failure)) => (&mut tally.stuck, failure),
            Some(Failure::Unexpected(failure)) => (&mut tally.unexpected, failure),
        };
        *count += 1;
        tally.example(format!("{}: {failure}", journey.key));
    }
    let databases = run.file.running_databases()?;
    let both = [("shop", &databases.shop), ("mes", &databases.mes)];
    for (name, url) in both {
        if let Err(error) = eventually(run.options.patience(), async || check_idle(url).await).await {
            tally.stuck += 1;
            tally.example(format!("{name}: {error:#}"));
        }
    }
    for (name, url) in both {
        let mut connection = eventually(run.options.patience(), async || Ok(PgConnection::connect(url).await?)).await?;
        check_database(&mut connection, name, journeys, &mut tally).await?;
    }
    check_queues(run, &junk, &mut tally).await?;
    check_log(run, &databases.shop, &databases.mes, &mut tally).await?;
    check_consumptions(run, &mut tally).await?;
    Ok(tally)
}

/// Repeats a check until it succeeds or the time is over, and returns its last result.
async fn eventually<T>(within: Duration, mut check: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match check().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(BETWEEN_CHECKS).await,
            result => return result,
        }
    }
}

/// Checks that no message, record or job waits in a database.
async fn check_idle(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    for table in ["outbox", "journal", "price_jobs"] {
        let existing: Option<String> =
            sqlx::query_scalar("SELECT to_regclass($1)::text").bind(table).fetch_one(&mut connection).await?;
        let Some(existing) = existing else { continue };
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {existing}"));
        let waiting: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await?;
        ensure!(waiting == 0, "{waiting} rows wait in {table}");
    }
    Ok(())
}

/// Checks that a database has each acknowledged change and each order once, and that each order is in its last status.
async fn check_database(
    connection: &mut PgConnection,
    name: &str,
    journeys: &[Journey],
    tally: &mut Tally,
) -> Result<()> {
    let rows = sqlx::query("SELECT order_id, status FROM order_history").fetch_all(&mut *connection).await?;
    let history: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for journey in journeys {
        let Some(order) = &journey.order else { continue };
        for status in journey.acknowledged.iter().filter(|status| must_have(name, order, **status)) {
            if !history.contains(&(order.clone(), status.name().to_owned())) {
                tally.lost += 1;
                let detail = format_args!("{order}: {status} is not in {name}");
                tally.example(Violation::new("no acknowledged change is lost", detail));
            }
        }
    }
    let rows = sqlx::query("SELECT comment, count(*), min(id), min(status) FROM orders GROUP BY comment");
    let attempted: BTreeSet<&str> = journeys.iter().map(|journey| journey.key.as_str()).collect();
    let last = if name == "shop" { OrderStatus::Closed } else { OrderStatus::Shipped };
    for row in rows.fetch_all(connection).await? {
        let (comment, count): (Option<String>, i64) = (row.get(0), row.get(1));
        let (order, status): (String, String) = (row.get(2), row.get(3));
        if count > 1 || !comment.as_deref().is_some_and(|comment| attempted.contains(comment)) {
            tally.duplicated += 1;
            let detail = format_args!("{comment:?} is in {name} {count} times, as {order}");
            tally.example(Violation::new("asking again does nothing twice", detail));
        }
        if status != last.name() {
            tally.stuck += 1;
            let detail = format_args!("{order} is still {status} in {name}");
            tally.example(Violation::new("no message is lost", detail));
        }
    }
    Ok(())
}

/// Whether a database must have an acknowledged change. The MES gets an order when it is submitted, and not its closing;
/// partners' orders begin in the MES.
fn must_have(database: &str, order: &str, status: OrderStatus) -> bool {
    let in_mes = (OrderStatus::Submitted..=OrderStatus::Shipped).contains(&status);
    database == "shop" || in_mes || (order.starts_with("P-") && status < OrderStatus::Submitted)
}

/// Checks that the queues are empty, and that there are as many dead letters as unreadable messages were put in.
async fn check_queues(run: &Run, junk: &Junk, tally: &mut Tally) -> Result<()> {
    let url = run.file.amqp.as_deref().context("RabbitMQ doesn't run")?;
    for service in [Service::CrmApi, Service::MesApi] {
        let junk = junk.get(service.name()).copied().unwrap_or_default();
        for (queue, expected) in [(format!("{service}.orders"), 0), (format!("{service}.orders.dead-letter"), junk)] {
            let checked = eventually(run.options.patience(), async || {
                let found = messages_in(url, &queue).await?;
                ensure!(found == expected, "{queue} has {found} messages, not {expected}");
                Ok(())
            });
            if let Err(error) = checked.await {
                tally.stuck += 1;
                tally.example(format!("{error:#}"));
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

/// Checks that each message has taken effect once. Applying one twice changes nothing; its record shows it.
async fn check_consumptions(run: &Run, tally: &mut Tally) -> Result<()> {
    let query = json!({
        "size": 0,
        "query": {"bool": {"filter": [
            {"term": {(field::EVENT_ACTION): Action::MessageConsumed.name()}},
            {"term": {(field::EVENT_OUTCOME): "success"}},
        ]}},
        "aggs": {"messages": {"terms": {"field": field::MESSAGING_MESSAGE_ID, "min_doc_count": 2, "size": MOST_EXAMPLES}}},
    });
    let search = Search::as_support(&run.file);
    let (http_status, found) = search.call(Method::POST, "alexandrite-*/_search", Some(&query)).await;
    ensure!(http_status == 200, "a search for messages: {http_status} {found}");
    let twice = found["aggregations"]["messages"]["buckets"].as_array().context("no buckets of messages")?;
    for message in twice {
        tally.duplicated += 1;
        let (id, count) = (&message["key"], &message["doc_count"]);
        let detail = format_args!("{id} was consumed {count} times");
        tally.example(Violation::new("each message takes effect once", detail));
    }
    Ok(())
}

/// Checks that the log and the databases have the same changes.
async fn check_log(run: &Run, shop: &str, mes: &str, tally: &mut Tally) -> Result<()> {
    let (address, support) = run.file.running_elasticsearch()?;
    let sources = Sources {
        shop: shop.to_owned(),
        mes: mes.to_owned(),
        log: Log::new(address, &support.login, &support.password, "")?,
    };
    let mut last = None;
    // Elasticsearch may be recovering first, and then the shipper may read all logs again.
    let compared = eventually(run.options.patience(), async || {
        let report = reconcile::reconcile(&sources, &Scope::default(), Duration::from_secs(20)).await?;
        let count = last.insert(report).findings.len();
        if count > 0 {
            say(format!("{count} findings; comparing again"));
        }
        ensure!(count == 0, "{count} findings");
        Ok(())
    });
    let compared = compared.await;
    let Some(report) = last else { return compared };
    (tally.changes, tally.records) = (report.rows, report.records);
    for Finding { order, kind, place, status, detail } in &report.findings {
        match kind {
            Kind::Missing => tally.unrecorded += 1,
            Kind::Doubled => tally.duplicated += 1,
            Kind::Behind => tally.stuck += 1,
            Kind::Contradicting | Kind::Diverging => tally.unexpected += 1,
        }
        let detail = format_args!("{order} {status} in {place}: {}: {detail}", kind.name());
        tally.example(Violation::new("every change has exactly one record", detail));
    }
    Ok(())
}
