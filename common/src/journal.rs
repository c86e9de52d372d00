//! The journal: records that are committed with the change that they report.
//!
//! A change's record gets its id (`event.id`) and its line before the commit. The line is staged in the change's transaction,
//! flushed to the log after the commit and before the response, and pruned once it is on the disk. If the process dies in
//! between, or can't write, the line stays in the table, and any replica flushes it: the same bytes, so the same day's index
//! and the same id, and Elasticsearch refuses the second copy.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use catalogue::{Action, ErrorType};
use sqlx::{PgConnection, PgPool};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    database::in_time,
    failure::{Failure, FailureContext as _},
    telemetry::{Line, Record, Subject, output},
};

/// How long flushed lines wait to be pruned in one statement.
const PRUNE_EVERY: Duration = Duration::from_millis(250);
/// How often lines are looked for that a replica left.
const RECOVER_EVERY: Duration = Duration::from_secs(5);
/// A younger line is probably being flushed by the replica that staged it.
const LEFT_AFTER: Duration = Duration::from_secs(10);
/// Lines that are recovered at a time.
const BATCH: i64 = 500;

/// Stages lines in the transaction of the changes that they report.
///
/// # Errors
///
/// If the database fails.
pub(crate) async fn stage(transaction: &mut PgConnection, lines: &[Line]) -> Result<(), Failure> {
    let (ids, lines): (Vec<_>, Vec<_>) = lines.iter().filter_map(|line| Some((line.id().uuid(), line.text()?))).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO journal (event_id, line) SELECT * FROM unnest($1::uuid[], $2::text[])",
        &ids,
        &lines as &[&str]
    )
    .execute(transaction)
    .await
    .failure("staging records")?;
    Ok(())
}

/// Flushes what was staged.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Whether the lines are left to the services that use the same database.
    left: bool,
    /// Events whose lines are flushed and not yet pruned.
    flushed: Arc<Mutex<Vec<Uuid>>>,
}

impl Journal {
    /// The journal of a process that isn't a service, and so has no log: its lines stay in the table, and a service writes
    /// them as it does with those that a replica left.
    #[must_use]
    pub fn left_to_services() -> Self {
        Self { left: true, ..Self::default() }
    }

    /// Writes the lines of committed changes, in this order. A line that can't be written stays in the table until it can.
    pub(crate) fn flush(&self, lines: &[Line]) {
        if self.left {
            return;
        }
        // Locked over the writes: when the disk fails, every line that it may have lost is in the list.
        let mut flushed = self.lock();
        let written = lines.iter().filter(|line| line.text().is_some_and(|text| output::emit(text.as_bytes()).is_ok()));
        flushed.extend(written.map(|line| line.id().uuid()));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prunes what is flushed, and flushes what replicas have left, until the service stops.
    pub(crate) async fn run(self, database: PgPool, stopping: CancellationToken) {
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut recover = tokio::time::interval(RECOVER_EVERY);
        prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
        recover.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let done = tokio::select! {
                () = stopping.cancelled() => return,
                _ = prune.tick() => in_time(self.prune(&database)).await,
                _ = recover.tick() => in_time(recover_lines(&self, &database)).await,
            };
            // A database that is away is reported by the requests that need it. Here nothing is lost but time.
            let failed = done.err().filter(|failure| failure.error_type != ErrorType::DatabaseUnavailable);
            if let (Some(failure), false) = (&failed, failing) {
                Record::failure(Action::ServiceLifecycle, Subject::default(), failure).state("degraded").write();
            }
            failing = failed.is_some();
        }
    }

    /// Deletes the flushed lines from the table, once they are on the disk. If they don't get there, they stay in the table and
    /// are flushed again as those that a replica left.
    pub(crate) async fn prune(&self, database: &PgPool) -> Result<(), Failure> {
        let flushed = std::mem::take(&mut *self.lock());
        if flushed.is_empty() {
            return Ok(());
        }
        self.on_disk().await?;
        let pruned = sqlx::query!("DELETE FROM journal WHERE event_id = ANY ($1)", &flushed);
        let pruned = pruned.execute(database).await.failure("pruning the journal");
        if pruned.is_err() {
            self.lock().extend(flushed);
        }
        pruned.map(drop)
    }

    /// Waits for the log's disk, off the async threads. No request waits for this.
    async fn on_disk(&self) -> Result<(), Failure> {
        let synced = tokio::task::spawn_blocking(output::sync).await.failure("waiting for the log's disk")?;
        synced.map_err(|error| self.lost(error))
    }

    /// The disk has failed. A next sync may succeed without what this one has lost, so no line that was flushed until now is
    /// pruned: all of them are flushed again.
    fn lost(&self, error: io::Error) -> Failure {
        self.lock().clear();
        Failure::new(ErrorType::Internal, "bringing records to the log's disk", error)
    }
}

/// Flushes the lines that a replica staged and left: it died, or its line could not be written or brought to the disk.
async fn recover_lines(journal: &Journal, database: &PgPool) -> Result<(), Failure> {
    loop {
        let mut transaction = database.begin().await.failure("looking for records that a replica left")?;
        let left = sqlx::query!(
            "SELECT event_id, line FROM journal WHERE event_id < $1 ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED",
            first_at(SystemTime::now() - LEFT_AFTER),
            BATCH
        );
        let left = left.fetch_all(&mut *transaction).await.failure("looking for records that a replica left")?;
        let count = left.len();
        let written: Vec<_> = left
            .into_iter()
            .take_while(|row| output::emit(row.line.as_bytes()).is_ok())
            .map(|row| row.event_id)
            .collect();
        if written.is_empty() {
            return Ok(());
        }
        journal.on_disk().await?;
        sqlx::query!("DELETE FROM journal WHERE event_id = ANY ($1)", &written)
            .execute(&mut *transaction)
            .await
            .failure("pruning records that a replica left")?;
        transaction.commit().await.failure("pruning records that a replica left")?;
        if written.len() < count {
            return Ok(());
        }
    }
}

/// An id that sorts before all that are made from this moment on.
fn first_at(moment: SystemTime) -> Uuid {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let made = Uuid::new_v7(Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos()));
    // Only the 48 bits of the time and the version.
    Uuid::from_u128(made.as_u128() >> 80 << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_disk_may_have_lost_is_not_pruned() {
        let journal = Journal::default();
        journal.lock().push(Uuid::now_v7());
        let failure = journal.lost(io::ErrorKind::StorageFull.into());
        assert_eq!(failure.error_type, ErrorType::Internal);
        assert!(journal.lock().is_empty());
    }

    #[test]
    fn ids_sort_by_the_moment_when_they_were_made() {
        let before = Uuid::now_v7();
        let border = first_at(SystemTime::now() + Duration::from_secs(1));
        assert!(before < border);
        assert!(Uuid::now_v7() > first_at(SystemTime::now() - Duration::from_millis(5)));
    }
}
