//! The journal's work for the database, for baselines that are as durable as the services.

use std::time::Duration;

use anyhow::Result;
use sqlx::PgConnection;

/// The approximate size of a record about an order.
const RECORD_BYTES: usize = 500;
/// How often written records are pruned.
const PRUNE_EVERY: Duration = Duration::from_millis(250);
/// Deletes what is in the journal.
pub(crate) const PRUNE: &str = "DELETE FROM journal";

/// The statement that keeps a record of an order in the journal; each argument is SQL.
pub(crate) fn row(event_id: &str, order: &str, from: &str) -> String {
    let line = "x".repeat(RECORD_BYTES);
    format!(
        "INSERT INTO journal (event_id, line) SELECT {event_id}, replace('{line}'::text, 'A-000000'::text, {order}) {from}"
    )
}

/// Awaits a load, and prunes the journal meanwhile, as a service does for its own rows.
pub(crate) async fn while_pruned<T>(database: &mut PgConnection, load: impl Future<Output = Result<T>>) -> Result<T> {
    let mut interval = tokio::time::interval(PRUNE_EVERY);
    let mut load = std::pin::pin!(load);
    loop {
        tokio::select! {
            outcome = &mut load => return outcome,
            _ = interval.tick() => {
                sqlx::raw_sql(PRUNE).execute(&mut *database).await?;
            }
        }
    }
}
