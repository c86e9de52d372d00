//! A service's database: its connections and its tables.

use std::time::{Duration, Instant};

use catalogue::metric;
use futures::future::join_all;
use opentelemetry::KeyValue;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    migrate::{Migrate as _, MigrateError, Migrator},
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::Level;

use crate::{
    authorities::Authorities,
    failure::{ErrorType, Failure, FailureContext as _, lacks_a_lock},
    telemetry::{Record, metrics},
};

/// A connection that was used within this time is taken without asking whether it still works.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// A connection that isn't trusted and doesn't respond within this time is replaced.
const PING: Duration = Duration::from_secs(1);
/// How long one piece of work may take: more than the wait for a connection (5 s), for a lock (10 s) and for a statement (15 s),
/// which the server ends. So it ends what those limits don't: the wait for a server that has gone silent.
pub(crate) const LONGEST_WORK: Duration = Duration::from_secs(30);
/// The server ends a transaction in which nothing happens for this long.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);
/// A migration waits this long for a lock at a time, because every other statement on the table queues behind it. Shorter
/// than PostgreSQL's `deadlock_timeout`: the creation of an index concurrently waits for the statements of processes that wait
/// to migrate, and must not be taken for a deadlock with them.
const MIGRATION_LOCK: Duration = Duration::from_millis(500);
/// The pause before the turn to migrate is asked for again.
const TURN_PAUSE: Duration = Duration::from_millis(100);
/// The pause before a migration's next try, in which those statements go on.
const MIGRATION_PAUSE: Duration = Duration::from_secs(2);
/// How long a migration tries to get its locks: as long as a start may take in Kubernetes.
const MIGRATION_TRIED_FOR: Duration = Duration::from_secs(600);

/// How long the database is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until a connection is free.
    pub connection: Duration,
    /// Until a statement ends.
    pub statement: Duration,
    /// Until a lock is there.
    pub lock: Duration,
}

/// A service's database. Its connections are for reading, and for statements that change no order: an order is changed in a
/// [`UnitOfWork`](crate::unit_of_work::UnitOfWork) only.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    /// One connection that no request waits for, to ask whether the database is there.
    probe: PgPool,
}

impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        Self { probe: pool.clone(), pool }
    }
}

/// Does work in the database within 30 s.
///
/// # Errors
///
/// The work's own, or that the database is unavailable. Whether the work takes effect is unknown then.
pub async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(LONGEST_WORK, work).await.unwrap_or_else(|_| Err(too_late()))
}

pub(crate) const fn too_late() -> Failure {
    Failure::bare(ErrorType::DatabaseUnavailable, "the database has not responded in time")
}

impl Database {
    /// A pool of at most `connections` connections. Connects when the first one is needed; if the URL asks for TLS, to a
    /// server that has its certificate from one of these authorities or from a public one.
    ///
    /// # Errors
    ///
    /// If the URL can't be read.
    pub fn open(
        url: &SecretString,
        authorities: &Authorities,
        connections: u32,
        timeouts: Timeouts,
        application: &str,
    ) -> Result<Self, sqlx::Error> {
        let mut options: PgConnectOptions = url.expose_secret().parse()?;
        if let Some(pem) = authorities.if_any() {
            options = options.ssl_root_cert_from_pem(pem.into());
        }
        let limits = [
            ("statement_timeout", timeouts.statement),
            ("lock_timeout", timeouts.lock),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
        ];
        let limits = limits.map(|(name, limit)| (name, format!("{}ms", limit.as_millis())));
        let options = options.application_name(application).options(limits);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            // Once open, they are kept: see `open_all`.
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(timeouts.connection)
            // A ping before every use would double the round trips.
            .test_before_acquire(false)
            .before_acquire(|connection, state| Box::pin(ping(connection, state.idle_for)));
        let probe = pool.clone().max_connections(1);
        Ok(Self { pool: pool.connect_lazy_with(options.clone()), probe: probe.connect_lazy_with(options) })
    }

    /// Brings the tables up to date: the shared ones, then the service's own. Of several processes that try at once, one
    /// does it.
    ///
    /// # Errors
    ///
    /// If the database can't be reached or a migration fails.
    pub async fn migrate(&self, own: Migrator) -> Result<(), Failure> {
        // A large table takes longer than a request may.
        let options = self.pool.connect_options().as_ref().clone().options([("statement_timeout", "0")]);
        let mut connection = PgConnection::connect_with(&options).await.failure("connecting to migrate")?;
        limit_lock(&mut connection, MIGRATION_LOCK).await?;
        // Until the connection closes. Another process that migrates at the moment is no failure.
        with_locks(TURN_PAUSE, false, async || connection.lock().await).await?;
        for mut migrations in [sqlx::migrate!(), own] {
            // A newer version, which runs at the same time, may have applied more.
            migrations.set_ignore_missing(true).set_locking(false);
            let all: Vec<_> = migrations.iter().collect();
            for alike in all.chunk_by(|one, next| one.no_tx == next.no_tx) {
                let (Some(first), Some(last)) = (alike.first(), alike.last()) else { continue };
                // An index that is created concurrently blocks no statement, and what is left of it if it fails does not go
                // by itself.
                limit_lock(&mut connection, if first.no_tx { Duration::ZERO } else { MIGRATION_LOCK }).await?;
                let part = async || migrations.run_to(last.version, &mut connection).await;
                with_locks(MIGRATION_PAUSE, true, part).await?;
            }
        }
        connection.close().await.failure("closing the connection that migrated")
    }

    /// Opens all connections. A request that has to open one pays for it: the proof of the password yields to other tasks 820
    /// times, each time for as long as a busy service's queue of them is.
    pub(crate) async fn open_all(&self) {
        let connections = (0..self.pool.options().get_max_connections()).map(|_| self.pool.acquire());
        // If the server has no room for all, requests use those that there are.
        let _ = join_all(connections).await;
    }

    /// A connection.
    ///
    /// # Errors
    ///
    /// If none is free in time, or the database can't be reached.
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, Failure> {
        self.pool.acquire().await.failure("connecting to the database")
    }

    /// The connections, for those parts of this crate that change no order.
    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Adds the metrics of the pool.
    pub(crate) fn observe(&self) {
        let pool = self.pool.clone();
        metrics::observe(&metric::CONNECTIONS, move || {
            let (all, idle) = (f64::from(pool.size()), pool.num_idle() as f64);
            let states = [("idle", idle), ("used", (all - idle).max(0.0))];
            states.map(|(state, count)| (count, Some(KeyValue::new(metric::CONNECTION_STATE, state)))).into()
        });
        let most = self.pool.options().get_max_connections();
        metrics::observe(&metric::MOST_CONNECTIONS, move || vec![(f64::from(most), None)]);
    }

    /// Asks whether the database is there.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        sqlx::query("SELECT 1").execute(&self.probe).await.map(drop).failure("asking the database")
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.probe.close().await;
        self.pool.close().await;
    }
}

/// Whether a connection can be taken. One that is broken or silent is an error, as it can't be closed in good form.
async fn ping(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for >= TRUSTED_FOR {
        tokio::time::timeout(PING, connection.ping()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    }
    Ok(true)
}

/// Sets how long the connection's statements may wait for a lock; zero is for ever.
async fn limit_lock(connection: &mut PgConnection, limit: Duration) -> Result<(), Failure> {
    let limit = format!("{}ms", limit.as_millis());
    let set = sqlx::query("SELECT set_config('lock_timeout', $1, false)").bind(limit);
    set.execute(connection).await.failure("limiting the wait for locks")?;
    Ok(())
}

/// Repeats a part of the migrations until its locks are free. The first time that they aren't may be recorded.
async fn with_locks(
    pause: Duration,
    mut is_recorded: bool,
    mut part: impl AsyncFnMut() -> Result<(), MigrateError>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let done = part().await;
        let is_locked = done.as_ref().is_err_and(lacks_a_lock_to_migrate);
        match done.failure("applying migrations") {
            Err(failure) if is_locked && begun.elapsed() < MIGRATION_TRIED_FOR => {
                if is_recorded {
                    Record::lifecycle("degraded").failed(Level::WARN, &failure).write();
                }
                is_recorded = false;
                tokio::time::sleep(pause).await;
            }
            done => return done,
        }
    }
}

fn lacks_a_lock_to_migrate(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    error.as_database_error().is_some_and(lacks_a_lock)
}
