//! The table of prices that are still to be calculated. A job belongs to one worker at a time, under a lease.

use std::{sync::Arc, time::Duration};

use common::{
    database::Database,
    domain::OrderId,
    failure::{Failure, FailureContext as _},
    telemetry::TraceContext,
    unit_of_work::UnitOfWork,
};
use sqlx::PgConnection;
use tokio::sync::Notify;
use uuid::Uuid;

/// Wakes this process's workers at once; another process's find a new job when they poll.
#[derive(Clone, Debug, Default)]
pub struct PriceQueue(Arc<Notify>);

impl PriceQueue {
    /// Waits until a price was queued here.
    pub(crate) async fn queued(&self) {
        self.0.notified().await;
    }

    /// Queues orders' prices, in the unit of work that asks for them and each with its trace.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn queue<'a>(
        &self,
        unit: &mut UnitOfWork,
        orders: impl IntoIterator<Item = (&'a OrderId, TraceContext)>,
    ) -> Result<(), Failure> {
        let (ids, traces): (Vec<_>, Vec<_>) = orders.into_iter().map(|(order, trace)| (order.as_str(), trace)).unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let (parents, states): (Vec<_>, Vec<_>) =
            traces.into_iter().map(|trace| (trace.traceparent, trace.tracestate)).unzip();
        sqlx::query!(
            "INSERT INTO price_jobs (order_id, traceparent, tracestate) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
            &ids as &[&str],
            &parents as &[Option<String>],
            &states as &[Option<String>]
        )
        .execute(unit.connection())
        .await
        .failure("queueing prices")?;
        unit.wake_after_commit(Arc::clone(&self.0));
        Ok(())
    }
}

/// A job that this process has.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) order: OrderId,
    /// Proves that the job is still this process's.
    lease: Uuid,
    /// How often it was claimed, this time included.
    pub(crate) attempts: i32,
    /// The request or message that asked for the price.
    pub(crate) trace: TraceContext,
}

/// Claims the job that has waited longest and that no worker has, for as long as the lease.
pub(crate) async fn claim(transaction: &mut PgConnection, lease: Duration) -> Result<Option<Job>, Failure> {
    let id = Uuid::now_v7();
    let row = sqlx::query!(
        r#"UPDATE price_jobs SET lease = $1, attempts = attempts + 1, available_at = now() + make_interval(secs => $2)
           WHERE order_id = (SELECT order_id FROM price_jobs WHERE available_at <= now()
                             ORDER BY available_at LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING order_id AS "order: OrderId", attempts, traceparent, tracestate"#,
        id,
        lease.as_secs_f64()
    );
    let row = row.fetch_optional(transaction).await.failure("claiming a price's calculation")?;
    Ok(row.map(|row| Job {
        order: row.order,
        lease: id,
        attempts: row.attempts,
        trace: TraceContext { traceparent: row.traceparent, tracestate: row.tracestate },
    }))
}

impl Job {
    /// Extends the lease. False if the job is another worker's by now.
    pub(crate) async fn extend(&self, database: &Database, lease: Duration) -> Result<bool, Failure> {
        let mut connection = database.connection().await?;
        let extended = sqlx::query!(
            "UPDATE price_jobs SET available_at = now() + make_interval(secs => $3) WHERE order_id = $1 AND lease = $2",
            self.order.as_str(),
            self.lease,
            lease.as_secs_f64()
        );
        let extended = extended.execute(&mut *connection).await.failure("extending a lease")?;
        Ok(extended.rows_affected() > 0)
    }

    /// Releases the lease; any worker may claim the job after a while.
    pub(crate) async fn release(&self, database: &Database, after: Duration) -> Result<(), Failure> {
        let mut connection = database.connection().await?;
        sqlx::query!(
            "UPDATE price_jobs SET lease = NULL, available_at = now() + make_interval(secs => $3)
             WHERE order_id = $1 AND lease = $2",
            self.order.as_str(),
            self.lease,
            after.as_secs_f64()
        )
        .execute(&mut *connection)
        .await
        .failure("releasing a lease")?;
        Ok(())
    }

    /// Ends the job, in the transaction of its result. False if the job is another worker's by now, and so the result.
    pub(crate) async fn end(&self, transaction: &mut PgConnection) -> Result<bool, Failure> {
        let ended =
            sqlx::query!("DELETE FROM price_jobs WHERE order_id = $1 AND lease = $2", self.order.as_str(), self.lease);
        let ended = ended.execute(transaction).await.failure("ending a price's calculation")?;
        Ok(ended.rows_affected() > 0)
    }
}
