//! The unit of work: the one way to change an order.
//!
//! A change of an order, its record and its message are one thing. [`UnitOfWork::record`] takes the record and returns a
//! [`Recorded`], which every statement that changes an order requires, so there is no change without its record.
//! [`UnitOfWork::enqueue`] adds the message. [`UnitOfWork::commit`] stages the records in the journal, commits, flushes the
//! records to the log, and wakes those who have work now, so there is no record without its commit.
//!
//! A statement gets its connection from a [`Recorded`]:
//!
//! ```
//! use common::{domain::OrderId, telemetry::{OfChange, Record}, unit_of_work::{Recorded, UnitOfWork}};
//!
//! async fn close(mut recorded: Recorded<'_>, id: &OrderId) -> Result<(), sqlx::Error> {
//!     let close = sqlx::query("UPDATE orders SET status = 'CLOSED' WHERE id = $1").bind(id.as_str());
//!     close.execute(recorded.connection()).await.map(drop)
//! }
//!
//! async fn command(unit: &mut UnitOfWork, id: &OrderId, record: Record<OfChange>) -> Result<(), sqlx::Error> {
//!     close(unit.record(record), id).await
//! }
//! ```
//!
//! Without the record there is none:
//!
//! ```compile_fail
//! use common::{domain::OrderId, telemetry::{OfChange, Record}, unit_of_work::{Recorded, UnitOfWork}};
//!
//! async fn close(mut recorded: Recorded<'_>, id: &OrderId) -> Result<(), sqlx::Error> {
//!     let close = sqlx::query("UPDATE orders SET status = 'CLOSED' WHERE id = $1").bind(id.as_str());
//!     close.execute(recorded.connection()).await.map(drop)
//! }
//!
//! async fn command(unit: &mut UnitOfWork, id: &OrderId, record: Record<OfChange>) -> Result<(), sqlx::Error> {
//!     close(unit.connection(), id).await
//! }
//! ```
//!
//! It can't be made by hand either, since its fields are private:
//!
//! ```compile_fail
//! use common::unit_of_work::{Recorded, UnitOfWork};
//!
//! fn recorded(unit: &mut UnitOfWork) -> Recorded<'_> {
//!     Recorded { unit, first: 0 }
//! }
//! ```
//!
//! And the record of a change has no `write` of its own, as a notice has:
//!
//! ```
//! use common::telemetry::{Notice, Record};
//!
//! fn write(record: Record<Notice>) {
//!     record.write();
//! }
//! ```
//!
//! ```compile_fail
//! use common::telemetry::{OfChange, Record};
//!
//! fn write(record: Record<OfChange>) {
//!     record.write();
//! }
//! ```

use std::sync::Arc;

use catalogue::Action;
use sqlx::{PgConnection, Postgres, Transaction, pool::PoolConnection};
use tokio::sync::Notify;

use crate::{
    crash,
    database::Database,
    domain::{EventId, OrderFacts},
    failure::{ErrorType, Failure, FailureContext as _},
    journal::{self, Journal},
    outbox::{self, MessageType},
    planted::{self, Bug},
    problem::ApiError,
    telemetry::{Line, OfChange, PendingRecord, Record, Subject},
};

/// Begins units of work in a service's database.
#[derive(Clone, Debug)]
pub struct Units {
    database: Database,
    journal: Journal,
    relay: Arc<Notify>,
}

impl Units {
    /// `relay` is notified after each commit that enqueued a message.
    #[must_use]
    pub const fn new(database: Database, journal: Journal, relay: Arc<Notify>) -> Self {
        Self { database, journal, relay }
    }

    /// Begins a transaction. `place` names it in crash tests.
    ///
    /// # Errors
    ///
    /// If the database can't be reached.
    pub async fn begin(&self, place: &'static str) -> Result<UnitOfWork, Failure> {
        let transaction = self.database.pool().begin().await.failure("beginning a unit of work")?;
        Ok(self.unit(place, Connection::Transaction(transaction)))
    }

    /// Begins the transaction of a command. A failure is reported as `action` about `subject`, until
    /// [`UnitOfWork::concerns`] knows more.
    ///
    /// # Errors
    ///
    /// If the database can't be reached.
    pub async fn command(&self, place: &'static str, action: Action, subject: Subject) -> Result<UnitOfWork, ApiError> {
        match self.begin(place).await {
            Ok(unit) => Ok(UnitOfWork { attempted: Some((action, subject)), ..unit }),
            Err(failure) => Err(ApiError::from(failure).during(action, subject)),
        }
    }

    /// Begins a unit of one statement, which is a transaction by itself and saves the round trips of another. The statement
    /// stages the records ([`Recorded::stage`]).
    ///
    /// # Errors
    ///
    /// If the database can't be reached.
    pub async fn single_statement(&self, place: &'static str) -> Result<UnitOfWork, Failure> {
        Ok(self.unit(place, Connection::Statement(self.database.connection().await?)))
    }

    fn unit(&self, place: &'static str, connection: Connection) -> UnitOfWork {
        UnitOfWork {
            connection,
            place,
            journal: self.journal.clone(),
            relay: Arc::clone(&self.relay),
            events: Vec::new(),
            pending: Vec::new(),
            staged: Vec::new(),
            wakes: Vec::new(),
            attempted: None,
        }
    }
}

/// Changes of orders that are committed together, with their records and messages. Dropped without a commit, nothing has
/// happened.
#[must_use = "nothing is changed before the commit"]
pub struct UnitOfWork {
    connection: Connection,
    place: &'static str,
    journal: Journal,
    relay: Arc<Notify>,
    /// The ids of all records.
    events: Vec<EventId>,
    /// Records whose lines are made at the commit.
    pending: Vec<PendingRecord>,
    /// Lines that a statement has staged itself.
    staged: Vec<Line>,
    wakes: Vec<Arc<Notify>>,
    attempted: Option<(Action, Subject)>,
}

enum Connection {
    Transaction(Transaction<'static, Postgres>),
    Statement(PoolConnection<Postgres>),
}

/// Changes whose records are part of the unit of work: what a statement that changes an order needs.
pub struct Recorded<'u> {
    unit: &'u mut UnitOfWork,
    first: usize,
}

/// Ids and lines of records, for the statement that stages them.
#[derive(Debug, Default)]
pub struct Staged {
    /// The events' ids.
    pub event_ids: Vec<uuid::Uuid>,
    /// Their lines.
    pub lines: Vec<String>,
}

impl UnitOfWork {
    /// The connection, for reading and locking, and for tables that aren't orders'.
    pub fn connection(&mut self) -> &mut PgConnection {
        match &mut self.connection {
            Connection::Transaction(transaction) => transaction,
            Connection::Statement(connection) => connection,
        }
    }

    /// Whose order it turned out to be: what a failure from here on is reported about.
    pub fn concerns(&mut self, subject: Subject) {
        if let Some((_, attempted)) = &mut self.attempted {
            *attempted = subject;
        }
    }

    /// Adds the record of a change, made in the current span.
    pub fn record(&mut self, record: Record<OfChange>) -> Recorded<'_> {
        self.record_pending([record.pending()])
    }

    /// Adds the records of several changes that one statement makes.
    pub fn record_all(&mut self, records: impl IntoIterator<Item = Record<OfChange>>) -> Recorded<'_> {
        self.record_pending(records.into_iter().map(Record::pending))
    }

    /// Adds records that were made before, each in the span of its own request.
    pub fn record_pending(&mut self, records: impl IntoIterator<Item = PendingRecord>) -> Recorded<'_> {
        let first = self.events.len();
        for record in records {
            self.events.push(record.id());
            self.pending.push(record);
        }
        Recorded { unit: self, first }
    }

    /// How many records it has so far.
    #[must_use]
    pub const fn recorded(&self) -> usize {
        self.events.len()
    }

    /// A change that an earlier record of this unit reports: what a message brings beside the changes that it reports is
    /// covered by the record of its consumption.
    ///
    /// # Errors
    ///
    /// If this unit has no such record.
    pub fn covered_by(&mut self, event: EventId) -> Result<Recorded<'_>, Failure> {
        let first = self.events.iter().position(|recorded| *recorded == event);
        let first = first.ok_or(Failure::bare(ErrorType::Internal, "a change is covered by no record"))?;
        Ok(Recorded { unit: self, first })
    }

    /// Adds a message to the outbox, with the current trace.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn enqueue(&mut self, message_type: MessageType, facts: &OrderFacts) -> Result<(), Failure> {
        outbox::table::insert(self.connection(), message_type, facts).await?;
        let relay = Arc::clone(&self.relay);
        self.wake_after_commit(relay);
        Ok(())
    }

    /// Notifies a background task once the changes are committed.
    pub fn wake_after_commit(&mut self, task: Arc<Notify>) {
        self.wakes.push(task);
    }

    /// Commits the changes, and writes their records.
    ///
    /// # Errors
    ///
    /// If the database fails. Whether the changes are committed may be unknown then.
    pub async fn commit(self) -> Result<(), Failure> {
        let Self { connection, place, journal, pending, mut staged, wakes, .. } = self;
        crash::point(place, "changed");
        match connection {
            Connection::Transaction(mut transaction) => {
                let lines: Vec<_> = pending.into_iter().map(PendingRecord::into_line).collect();
                if !planted::has(Bug::CommitBeforeRecord) {
                    journal::stage(&mut transaction, &lines).await?;
                }
                transaction.commit().await.failure("committing a unit of work")?;
                planted::hesitate(Bug::CommitBeforeRecord).await;
                staged.extend(lines);
            }
            Connection::Statement(_) if !pending.is_empty() => {
                return Err(Failure::bare(ErrorType::Internal, "a statement didn't stage its records"));
            }
            Connection::Statement(_) => {}
        }
        crash::point(place, "committed");
        journal.flush(&staged);
        for task in wakes {
            task.notify_one();
        }
        crash::point(place, "recorded");
        Ok(())
    }

    /// Commits what a command did, or undoes it; a failure is reported as what the command attempted.
    ///
    /// # Errors
    ///
    /// The command's, or the commit's.
    pub async fn finish<T>(mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        let attempted = self.attempted.take();
        let finished = match result {
            Ok(value) => self.commit().await.map(|()| value).map_err(ApiError::from),
            Err(error) => {
                // Now, and not some time after this is dropped: a client may try again at once, and meet its own locks. If
                // that fails, the connection is closed, which undoes it as well.
                if let Connection::Transaction(transaction) = self.connection {
                    let _ = transaction.rollback().await;
                }
                Err(error)
            }
        };
        finished.map_err(|error| match attempted {
            Some((action, subject)) => error.during(action, subject),
            None => error,
        })
    }
}

impl Recorded<'_> {
    /// The connection, for the statement.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.unit.connection()
    }

    /// The first change's id: `event.id` of its record.
    ///
    /// # Panics
    ///
    /// If no record was added.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        self.unit.events[self.first]
    }

    /// The changes' ids, in the order of their records.
    #[must_use]
    pub fn event_ids(&self) -> Vec<EventId> {
        self.unit.events[self.first..].to_vec()
    }

    /// Notifies a background task once the changes are committed.
    pub fn wake_after_commit(&mut self, task: Arc<Notify>) {
        self.unit.wake_after_commit(task);
    }

    /// Hands the records over to a statement that stages them itself, by an `INSERT INTO journal (event_id, line)`.
    pub fn stage(&mut self) -> Staged {
        let made: Vec<_> = self.unit.pending.drain(..).map(PendingRecord::into_line).collect();
        let texts = made.iter().filter_map(|line| Some((line.id().uuid(), line.text()?.to_owned())));
        let (event_ids, lines) = texts.unzip();
        self.unit.staged.extend(made);
        Staged { event_ids, lines }
    }
}
