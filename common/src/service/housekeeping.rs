//! Deletes what has had its time: sessions that ended, first answers nobody asks for again, notes of old messages.

use std::time::Duration;

use elk::Action;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::{Fault, FaultContext as _},
    telemetry::{Record, Subject},
};

const PERIOD: Duration = Duration::from_secs(600);

pub(super) async fn run(database: PgPool, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(PERIOD);
    while stopping.run_until_cancelled(clock.tick()).await.is_some() {
        if let Err(fault) = clean(&database).await {
            Record::failure(Action::ServiceLifecycle, Subject::default(), &fault).state("degraded").write();
        }
    }
}

async fn clean(database: &PgPool) -> Result<(), Fault> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()")
        .execute(database)
        .await
        .fault("deleting ended sessions")?;
    sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'")
        .execute(database)
        .await
        .fault("deleting old answers")?;
    // Messages are told apart by their effect as well: an older copy brings nothing new.
    sqlx::query!("DELETE FROM inbox WHERE consumed_at < now() - interval '30 days'")
        .execute(database)
        .await
        .fault("deleting old notes")?;
    Ok(())
}
