//! The table of prices that are still to be calculated. A job belongs to one worker at a time, under a lease.

use std::time::Duration;

use common::{Failure, FailureContext as _, domain::OrderId, telemetry::TraceContext};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A job that this process has.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) order: OrderId,
    /// Proves that it is still ours.
    lease: Uuid,
    /// This one included.
    pub(super) attempts: i32,
    /// What asked for the price.
    pub(super) trace: TraceContext,
}

/// Queues orders' prices, in the transaction of what asks for them and each with its trace.
///
/// # Errors
///
/// If the database fails.
pub async fn queue<'a>(
    transaction: &mut PgConnection,
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
    .execute(transaction)
    .await
    .failure("queueing prices")?;
    Ok(())
}

/// Takes the job that has waited longest and that nobody has, for as long as the lease.
pub(super) async fn claim(transaction: &mut PgConnection, lease: Duration) -> Result<Option<Job>, Failure> {
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
    /// Makes the lease begin anew. False if it is another worker's by now.
    pub(super) async fn extend(&self, database: &PgPool, lease: Duration) -> Result<bool, Failure> {
        let extended = sqlx::query!(
            "UPDATE price_jobs SET available_at = now() + make_interval(secs => $3) WHERE order_id = $1 AND lease = $2",
            self.order.as_str(),
            self.lease,
            lease.as_secs_f64()
        );
        let extended = extended.execute(database).await.failure("extending a lease")?;
        Ok(extended.rows_affected() > 0)
    }

    /// Gives the job up, for anybody to take after a while.
    pub(super) async fn give_back(&self, database: &PgPool, after: Duration) -> Result<(), Failure> {
        sqlx::query!(
            "UPDATE price_jobs SET lease = NULL, available_at = now() + make_interval(secs => $3)
             WHERE order_id = $1 AND lease = $2",
            self.order.as_str(),
            self.lease,
            after.as_secs_f64()
        )
        .execute(database)
        .await
        .failure("giving a price's calculation up")?;
        Ok(())
    }

    /// Ends the job, in the transaction of its result. False if it is another worker's by now: the result is that
    /// one's then.
    pub(super) async fn end(&self, transaction: &mut PgConnection) -> Result<bool, Failure> {
        let ended =
            sqlx::query!("DELETE FROM price_jobs WHERE order_id = $1 AND lease = $2", self.order.as_str(), self.lease);
        let ended = ended.execute(transaction).await.failure("ending a price's calculation")?;
        Ok(ended.rows_affected() > 0)
    }
}
