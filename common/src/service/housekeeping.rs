//! Deletes what is not needed any more: ended sessions, old counts of failed logins, old responses to repeatable requests,
//! ids of old messages, models without an order.

use std::{collections::HashSet, time::Duration};

use catalogue::Action;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::{Postgres, postgres::PgArguments, query::Query};
use time::{Date, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::throttle,
    database::Database,
    failure::{Failure, FailureContext as _},
    state::Core,
    telemetry::{Record, Subject},
};

/// How long a response is kept for the repetition of its request. Clients are told by the OpenAPI text of
/// [`Idempotency`](crate::http::Idempotency).
const RESPONSES_KEPT_DAYS: i32 = 2;
/// How long the id of a message that took effect is kept.
const MESSAGES_KEPT_DAYS: i32 = 30;
const PERIOD: Duration = Duration::from_secs(600);
/// How often models are swept.
const SWEPT_EVERY: Duration = Duration::from_secs(3600);
const SWEEPS_A_DAY: u32 = 24;
/// Rows that are deleted by a statement, so that none takes long, however many there are.
const BATCH: i64 = 10_000;

pub(super) async fn run(core: Core, stopping: CancellationToken) {
    let work = async { tokio::join!(delete_rows(&core), sweep_models(&core)) };
    stopping.run_until_cancelled(work).await;
}

async fn delete_rows(core: &Core) {
    let mut clock = tokio::time::interval(PERIOD);
    loop {
        clock.tick().await;
        report(core.auth.sessions.expire().await);
        report(clean(&core.database).await);
    }
}

async fn sweep_models(core: &Core) {
    let mut clock = tokio::time::interval(SWEPT_EVERY);
    // Each sweep looks at the models that were too young for the one before, and one in each day at all of them.
    let mut since = None;
    for sweeps in 0_u32.. {
        clock.tick().await;
        if sweeps.is_multiple_of(SWEEPS_A_DAY) {
            since = None;
        }
        // A model is in the folder of the day when its upload began, which may be the day before.
        let young = (OffsetDateTime::now_utc() - core.unused_model_age - time::Duration::DAY).date();
        let swept = sweep(core, since).await;
        if swept.is_ok() {
            since = Some(young);
        }
        report(swept);
    }
}

/// What failed is tried again in the next round.
fn report(result: Result<(), Failure>) {
    if let Err(failure) = result {
        Record::failure(Action::ServiceLifecycle, Subject::default(), &failure).state("degraded").write();
    }
}

/// Removes models that no order has.
async fn sweep(core: &Core, since: Option<Date>) -> Result<(), Failure> {
    let mut old = core.models.own_models(since, core.unused_model_age);
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
    delete(database, "deleting old responses", || {
        sqlx::query!(
            "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(days => $1) LIMIT $2))",
            RESPONSES_KEPT_DAYS,
            BATCH
        )
    })
    .await?;
    // An older copy of a message brings nothing new, whether its id is known or not.
    delete(database, "deleting old ids of messages", || {
        sqlx::query!(
            "DELETE FROM inbox WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM inbox WHERE consumed_at < now() - make_interval(days => $1) LIMIT $2))",
            MESSAGES_KEPT_DAYS,
            BATCH
        )
    })
    .await
}

/// Repeats a deletion of [`BATCH`] rows as long as it finds so many.
async fn delete(
    database: &Database,
    what: &'static str,
    batch: impl Fn() -> Query<'static, Postgres, PgArguments>,
) -> Result<(), Failure> {
    let full = BATCH.unsigned_abs();
    while batch().execute(database.pool()).await.failure(what)?.rows_affected() >= full {}
    Ok(())
}
