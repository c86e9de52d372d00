//! Counts for the metrics what the database holds.
//!
//! One replica of each service does it: the one whose connection has the lock. When it ends, however hard, the database ends
//! its connection and another replica counts. What is counted are facts, so a counter goes on where it was, over restarts
//! and replicas.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use catalogue::{ErrorType, Service};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use uuid::Uuid;

use super::definition::{Definition, Standing};
use crate::{
    database::Database,
    domain::OrderStatus,
    failure::{Failure, FailureContext as _},
    telemetry::{
        Record,
        metrics::{self, Counted, OfStatus, Waiting},
    },
};

/// A database that takes longer for what is new is away.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);
/// What orders are waiting in takes the longer the more orders are open, so it is counted again only after so many times as long
/// as it took: requests have the database for themselves.
const SELDOM: u32 = 100;
/// A database that takes longer for that is away.
const STANDING_WITHIN: Duration = Duration::from_secs(600);

/// Counts every `period` until the service stops, whenever it is this replica's turn.
pub(super) async fn run<S: Definition>(database: Database, period: Duration, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = None;
    let mut failing = false;
    while stopping.run_until_cancelled(clock.tick()).await.is_some() {
        let Some(counted) = stopping.run_until_cancelled(count::<S>(&database, &mut turn)).await else { break };
        // The work that needs the database reports that it is away. Here the numbers are missing.
        let failed = counted.as_ref().err().filter(|failure| failure.error_type != ErrorType::DatabaseUnavailable);
        if let (Some(failure), false) = (failed, failing) {
            // A warning: only the metrics are concerned.
            Record::lifecycle("degraded").failed(Level::WARN, failure).write();
        }
        failing = failed.is_some();
        metrics::counted(counted.unwrap_or_default());
    }
    metrics::counted(None);
}

/// Counts; none if it is another replica's turn.
async fn count<S: Definition>(database: &Database, turn: &mut Option<Turn>) -> Result<Option<Counted>, Failure> {
    // Taken out: after a failure, or when this is given up, the connection and with it the turn are gone.
    let mut ours = match turn.take() {
        Some(ours) => ours,
        None => match Turn::take(database, S::SERVICE).await? {
            Some(ours) => ours,
            None => return Ok(None),
        },
    };
    let waiting = tokio::time::timeout(COUNTED_WITHIN, ours.count()).await;
    let waiting = waiting.failure("counting what the database holds")??;
    let standing = tokio::time::timeout(STANDING_WITHIN, ours.standing::<S>()).await;
    let standing = standing.failure("counting waiting orders")??;
    let counted = ours.counted(S::SERVICE, &standing, waiting);
    *turn = Some(ours);
    Ok(Some(counted))
}

/// This replica's turn to count, as long as the connection lives.
struct Turn {
    connection: PgConnection,
    /// Which transactions had ended when changes were counted the last time.
    snapshot: String,
    /// All changes that they made.
    changes: HashMap<(OrderStatus, Service), i64>,
    /// What orders were waiting in, and until when that is taken for what they are waiting in.
    standing: Option<(Standing, Instant)>,
}

/// Changes that were not counted before.
struct NewChanges {
    snapshot: String,
    status: Option<OrderStatus>,
    service: Option<Service>,
    count: i64,
}

impl Turn {
    /// Takes the turn, unless another replica has it.
    async fn take(database: &Database, service: Service) -> Result<Option<Self>, Failure> {
        let mut connection = database.connection().await?;
        let lock = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "is_ours!""#,
            format!("metrics of {service}")
        );
        if !lock.fetch_one(&mut *connection).await.failure("taking the turn to count")? {
            return Ok(None);
        }
        // Out of the pool, which would hand the lock on with the connection.
        let mut connection = connection.detach();
        // All changes ever made are more than a request may read; but when this process ends, the server is to end it, too.
        let limits = "SET statement_timeout = 0; SET client_connection_check_interval = '10s'";
        sqlx::raw_sql(limits).execute(&mut connection).await.failure("counting all changes")?;
        let mut transaction = connection.begin().await.failure("counting all changes")?;
        // In a database that was restored from a dump, these are another database's transactions, and still to come in this one.
        sqlx::query!(
            "UPDATE order_history SET added_in = NULL WHERE added_in >= pg_snapshot_xmax(pg_current_snapshot())"
        )
        .execute(&mut *transaction)
        .await
        .failure("counting all changes")?;
        let all = sqlx::query_as!(
            NewChanges,
            r#"WITH now AS MATERIALIZED (SELECT pg_current_snapshot()::text AS snapshot)
               SELECT snapshot AS "snapshot!", status AS "status?: OrderStatus", service AS "service?: Service",
                      count(status) AS "count!"
               FROM now LEFT JOIN order_history ON true GROUP BY snapshot, status, service"#
        );
        let all = all.fetch_all(&mut *transaction).await.failure("counting all changes")?;
        transaction.commit().await.failure("counting all changes")?;
        let mut ours = Self { connection, snapshot: String::new(), changes: HashMap::new(), standing: None };
        ours.add(all);
        Ok(Some(ours))
    }

    fn add(&mut self, new: Vec<NewChanges>) {
        for row in new {
            if let (Some(status), Some(service)) = (row.status, row.service) {
                *self.changes.entry((status, service)).or_default() += row.count;
            }
            self.snapshot = row.snapshot;
        }
    }

    /// Counts new changes, and what waits to be published or written.
    async fn count(&mut self) -> Result<[Waiting; 2], Failure> {
        // Commits are not in the sequence of any number or time. What this statement sees and the one before didn't is new.
        let new = sqlx::query_as!(
            NewChanges,
            r#"WITH now AS MATERIALIZED (SELECT pg_current_snapshot()::text AS snapshot)
               SELECT snapshot AS "snapshot!", status AS "status?: OrderStatus", service AS "service?: Service",
                      count(status) AS "count!"
               FROM now LEFT JOIN order_history ON added_in >= pg_snapshot_xmin($1::text::pg_snapshot)
                   AND NOT pg_visible_in_snapshot(added_in, $1::text::pg_snapshot)
               GROUP BY snapshot, status, service"#,
            self.snapshot
        );
        let new = new.fetch_all(&mut self.connection).await.failure("counting new changes")?;
        self.add(new);
        let waiting = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM outbox) AS "outbox!", (SELECT min(created_at) FROM outbox) AS outbox_oldest,
                      (SELECT count(*) FROM journal) AS "journal!",
                      (SELECT event_id FROM journal ORDER BY event_id LIMIT 1) AS journal_oldest"#
        );
        let waiting = waiting.fetch_one(&mut self.connection).await.failure("counting what waits")?;
        Ok([
            Waiting { count: waiting.outbox, oldest: waiting.outbox_oldest },
            Waiting { count: waiting.journal, oldest: waiting.journal_oldest.and_then(made_at) },
        ])
    }

    async fn standing<S: Definition>(&mut self) -> Result<Standing, Failure> {
        let begun = Instant::now();
        if let Some((standing, _)) = self.standing.as_ref().filter(|(_, until)| begun < *until) {
            return Ok(standing.clone());
        }
        let standing = S::standing(&mut self.connection).await?;
        self.standing = Some((standing.clone(), Instant::now() + SELDOM * begun.elapsed()));
        Ok(standing)
    }

    fn counted(&self, service: Service, standing: &Standing, [outbox, journal]: [Waiting; 2]) -> Counted {
        Counted {
            statuses: OrderStatus::ALL.iter().map(|status| self.of_status(*status, service, standing)).collect(),
            failed_prices: standing.failed_prices,
            outbox,
            journal,
        }
    }

    fn of_status(&self, status: OrderStatus, service: Service, standing: &Standing) -> OfStatus {
        let by = |service| self.changes.get(&(status, service)).copied().unwrap_or_default();
        let found = standing.statuses.iter().find(|found| found.status == status);
        // A closed order stays closed, and there are more and more of them: counting those of a status would read them all.
        let closed = || Service::APIS.into_iter().map(by).sum();
        let orders = if status == OrderStatus::Closed { closed() } else { found.map_or(0, |found| found.orders) };
        let stuck = standing.knows_stuck.then(|| found.map_or(0, |found| found.stuck));
        OfStatus { status, changes: by(service), orders, oldest: found.map(|found| found.oldest), stuck }
    }
}

/// When an id of version 7 was made.
fn made_at(id: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_when_it_was_made() {
        let age = OffsetDateTime::now_utc() - made_at(Uuid::now_v7()).unwrap();
        assert!(age.whole_seconds() < 60, "{age}");
    }
}
