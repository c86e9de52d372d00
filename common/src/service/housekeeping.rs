//! Deletes what is not needed any more: ended sessions, old counts of failed logins, old responses to repeatable requests, ids of old messages, models
//! without an order.

use std::{collections::HashSet, time::Duration};

use catalogue::Action;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::throttle,
    database::Database,
    failure::{Failure, FailureContext as _},
    state::Core,
    telemetry::{Record, Subject},
};

const PERIOD: Duration = Duration::from_secs(600);
/// Models are swept in every so many rounds.
const SWEPT_EVERY: u32 = 6;

pub(super) async fn run(core: Core, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(PERIOD);
    for round in 0_u32.. {
        let work = async {
            clock.tick().await;
            report(core.auth.sessions.expire().await);
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

/// What failed is tried again in the next round.
fn report(result: Result<(), Failure>) {
    if let Err(failure) = result {
        Record::failure(Action::ServiceLifecycle, Subject::default(), &failure).state("degraded").write();
    }
}

/// Removes models that no order has.
async fn sweep(core: &Core) -> Result<(), Failure> {
    let mut old = core.models.own_models_older_than(core.unused_model_age);
    while let Some(keys) = old.next().await {
        let keys = keys?;
        // Every service that stores models has this table, but this crate has no description of it.
        let used = sqlx::query_scalar("SELECT model_key FROM orders WHERE model_key = ANY($1)").bind(&keys);
        let used: HashSet<String> =
            used.fetch(core.database.pool()).try_collect().await.failure("looking up which models orders have")?;
        for key in keys.iter().filter(|key| !used.contains(*key)) {
            core.models.delete(key).await?;
        }
    }
    core.models.remove_partial_older_than(core.unused_model_age).await
}

async fn clean(database: &Database) -> Result<(), Failure> {
    throttle::prune(database).await?;
    sqlx::query!("DELETE FROM login_sources WHERE used_at < now() - interval '90 days'")
        .execute(database.pool())
        .await
        .failure("deleting old login sources")?;
    sqlx::query!("DELETE FROM order_probes WHERE probed_at < now() - interval '1 day'")
        .execute(database.pool())
        .await
        .failure("deleting old counts of requests for others' orders")?;
    sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'")
        .execute(database.pool())
        .await
        .failure("deleting old responses")?;
    // An older copy of a message brings nothing new, whether its id is known or not.
    sqlx::query!("DELETE FROM inbox WHERE consumed_at < now() - interval '30 days'")
        .execute(database.pool())
        .await
        .failure("deleting old ids of messages")?;
    Ok(())
}
