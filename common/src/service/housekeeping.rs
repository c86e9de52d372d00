//! Deletes what has had its time: sessions that ended, first answers nobody asks for again, notes of old messages, models
//! that no order has.

use std::{collections::HashSet, time::Duration};

use catalogue::Action;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    Core,
    failure::{Failure, FailureContext as _},
    telemetry::{Record, Subject},
};

const PERIOD: Duration = Duration::from_secs(600);
/// Models are swept every so many times.
const SWEPT_EVERY: u32 = 6;

pub(super) async fn run(core: Core, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(PERIOD);
    for round in 0_u32.. {
        let work = async {
            clock.tick().await;
            report(clean(&core.database).await);
            if round.is_multiple_of(SWEPT_EVERY) {
                report(sweep(&core).await);
            }
        };
        if stopping.run_until_cancelled(work).await.is_none() {
            return;
        }
    }
}

/// What failed is tried again the next time.
fn report(result: Result<(), Failure>) {
    if let Err(failure) = result {
        Record::failure(Action::ServiceLifecycle, Subject::default(), &failure).state("degraded").write();
    }
}

/// Removes what uploads left behind that no order was told of.
async fn sweep(core: &Core) -> Result<(), Failure> {
    let mut old = core.models.own_models_older_than(core.unused_model_age);
    while let Some(keys) = old.next().await {
        let keys = keys?;
        // Every service that stores models has this table, but it is no table of this crate.
        let used = sqlx::query_scalar("SELECT model_key FROM orders WHERE model_key = ANY($1)").bind(&keys);
        let used: HashSet<String> =
            used.fetch(&core.database).try_collect().await.failure("asking which models orders have")?;
        for key in keys.iter().filter(|key| !used.contains(*key)) {
            core.models.delete(key).await?;
        }
    }
    core.models.remove_halves_older_than(core.unused_model_age).await
}

async fn clean(database: &PgPool) -> Result<(), Failure> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()")
        .execute(database)
        .await
        .failure("deleting ended sessions")?;
    sqlx::query!("DELETE FROM login_sources WHERE used_at < now() - interval '90 days'")
        .execute(database)
        .await
        .failure("forgetting where people logged in")?;
    sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'")
        .execute(database)
        .await
        .failure("deleting old answers")?;
    // Messages are told apart by their effect as well: an older copy brings nothing new.
    sqlx::query!("DELETE FROM inbox WHERE consumed_at < now() - interval '30 days'")
        .execute(database)
        .await
        .failure("deleting old notes")?;
    Ok(())
}
