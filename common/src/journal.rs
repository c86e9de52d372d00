//! The journal: records that stand or fall with the change that they report.
//!
//! A change's record gets its number (`event.id`) and its line before the commit. The line is kept in the transaction of
//! the change, written after the commit and before the answer, and forgotten once it is on the disk. Whoever dies in
//! between, or can't write, leaves the line in the table, and any replica writes it again: the same bytes, so the same
//! day's index and the same number, and Elasticsearch refuses the second copy.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use catalogue::{Action, ErrorType};
use sqlx::{PgConnection, PgPool};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    domain::OrderId,
    failure::{Failure, FailureContext as _},
    telemetry::{Record, Subject, output},
};

/// How long lines that are written wait to be forgotten, together.
const FORGET_EVERY: Duration = Duration::from_millis(250);
/// So often we look for lines that somebody left.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A line that is younger is probably just being written.
const LEFT_AFTER: Duration = Duration::from_secs(10);
/// So many are written again at a time.
const BATCH: i64 = 500;

/// The record of a change, on its way.
#[derive(Debug)]
pub struct Entry {
    id: Uuid,
    /// Nothing if the log's filter leaves the record out.
    line: Option<String>,
}

impl Entry {
    pub(crate) fn new(id: Uuid, line: Option<Vec<u8>>) -> Self {
        Self { id, line: line.and_then(|line| String::from_utf8(line).ok()) }
    }

    /// The change's number: `event.id` of its record.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The record's line, for the statement that makes the change.
    #[must_use]
    pub fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }

    /// Gives the order its number, which wasn't known when the line was made.
    #[must_use]
    pub fn about(self, order: &OrderId, instead_of: &OrderId) -> Self {
        Self { line: self.line.map(|line| line.replace(instead_of.as_str(), order.as_str())), ..self }
    }
}

/// Keeps records in the transaction of the changes that they report.
///
/// # Errors
///
/// If the database fails.
pub async fn keep(transaction: &mut PgConnection, entries: &[Entry]) -> Result<(), Failure> {
    let (ids, lines): (Vec<_>, Vec<_>) = entries.iter().filter_map(|entry| Some((entry.id, entry.line()?))).unzip();
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
    .failure("keeping records")?;
    Ok(())
}

/// Writes what was kept.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Numbers of lines that are written and not yet forgotten.
    written: Arc<Mutex<Vec<Uuid>>>,
}

impl Journal {
    /// Writes records whose changes are committed; in this order, and before the answer goes out. A line that can't be
    /// written stays in the table until it can.
    pub fn write(&self, entries: impl IntoIterator<Item = Entry>) {
        let written = entries
            .into_iter()
            .filter(|entry| entry.line.as_ref().is_some_and(|line| output::emit(line.as_bytes()).is_ok()));
        let written: Vec<_> = written.map(|entry| entry.id).collect();
        self.lock().extend(written);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Uuid>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is written, and writes what others have left, until the service stops.
    pub(crate) async fn tend(self, database: PgPool, stopping: CancellationToken) {
        let mut forget = tokio::time::interval(FORGET_EVERY);
        let mut look = tokio::time::interval(LOOK_EVERY);
        forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let tended = tokio::select! {
                () = stopping.cancelled() => return,
                _ = forget.tick() => self.forget(&database).await,
                _ = look.tick() => write_again(&database).await,
            };
            // A database that is away fails whoever needs it, and they say so. Here nothing is lost but time.
            let failed = tended.err().filter(|failure| failure.error_type != ErrorType::DatabaseUnavailable);
            if let (Some(failure), false) = (&failed, failing) {
                Record::failure(Action::ServiceLifecycle, Subject::default(), failure).state("degraded").write();
            }
            failing = failed.is_some();
        }
    }

    /// Forgets the lines that are written, once they are on the disk.
    pub(crate) async fn forget(&self, database: &PgPool) -> Result<(), Failure> {
        let written = std::mem::take(&mut *self.lock());
        if written.is_empty() {
            return Ok(());
        }
        on_disk().await?;
        let forgotten = sqlx::query!("DELETE FROM journal WHERE event_id = ANY ($1)", &written);
        let forgotten = forgotten.execute(database).await.failure("forgetting records that are written");
        if forgotten.is_err() {
            self.lock().extend(written);
        }
        forgotten.map(drop)
    }
}

/// Writes the lines again that whoever made the change has left: it died, or could not write.
async fn write_again(database: &PgPool) -> Result<(), Failure> {
    loop {
        let mut transaction = database.begin().await.failure("looking for records that were left")?;
        let left = sqlx::query!(
            "SELECT event_id, line FROM journal WHERE event_id < $1 ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED",
            first_of(SystemTime::now() - LEFT_AFTER),
            BATCH
        );
        let left = left.fetch_all(&mut *transaction).await.failure("looking for records that were left")?;
        let count = left.len();
        let written: Vec<_> = left
            .into_iter()
            .take_while(|row| output::emit(row.line.as_bytes()).is_ok())
            .map(|row| row.event_id)
            .collect();
        if written.is_empty() {
            return Ok(());
        }
        on_disk().await?;
        sqlx::query!("DELETE FROM journal WHERE event_id = ANY ($1)", &written)
            .execute(&mut *transaction)
            .await
            .failure("forgetting records that were left")?;
        transaction.commit().await.failure("forgetting records that were left")?;
        if written.len() < count {
            return Ok(());
        }
    }
}

/// The disk may take its time, and no request waits for it.
async fn on_disk() -> Result<(), Failure> {
    tokio::task::spawn_blocking(output::sync).await.failure("waiting for the log's disk")
}

/// A number before all that are made from this moment on.
fn first_of(moment: SystemTime) -> Uuid {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let made = Uuid::new_v7(Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos()));
    // Only the time, without what follows it.
    Uuid::from_u128(made.as_u128() >> 80 << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_by_their_moment() {
        let before = Uuid::now_v7();
        let border = first_of(SystemTime::now() + Duration::from_secs(1));
        assert!(before < border);
        assert!(Uuid::now_v7() > first_of(SystemTime::now() - Duration::from_millis(5)));
    }
}
