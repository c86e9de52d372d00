//! A service's database: its connections and its tables.

use std::time::Duration;

use catalogue::metric;
use futures::future::join_all;
use opentelemetry::KeyValue;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    authorities::Authorities,
    failure::{Failure, FailureContext as _},
    telemetry::metrics,
};

/// A connection that was used within this time is taken without asking whether it still works.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// The server ends a transaction in which nothing happens for this long.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);

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
pub struct Database(PgPool);

impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        Self(pool)
    }
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
            .before_acquire(|connection, state| {
                Box::pin(async move { Ok(state.idle_for < TRUSTED_FOR || connection.ping().await.is_ok()) })
            })
            .connect_lazy_with(options);
        Ok(Self(pool))
    }

    /// Brings the tables up to date: the shared ones, then the service's own. Of several processes that try at once, one
    /// does it.
    ///
    /// # Errors
    ///
    /// If the database can't be reached or a migration fails.
    pub async fn migrate(&self, own: Migrator) -> Result<(), Failure> {
        // A large table takes longer than a request may, and so does another process that migrates at the moment.
        let unlimited = ["statement_timeout", "lock_timeout"].map(|limit| (limit, "0"));
        let options = self.0.connect_options().as_ref().clone().options(unlimited);
        let mut connection = PgConnection::connect_with(&options).await.failure("connecting to migrate")?;
        for mut migrations in [sqlx::migrate!(), own] {
            // A newer version, which runs at the same time, may have applied more.
            migrations.set_ignore_missing(true).run(&mut connection).await.failure("applying migrations")?;
        }
        connection.close().await.failure("closing the connection that migrated")
    }

    /// Opens all connections. A request that has to open one pays for it: the proof of the password yields to other tasks 820
    /// times, each time for as long as a busy service's queue of them is.
    pub(crate) async fn open_all(&self) {
        let connections = (0..self.0.options().get_max_connections()).map(|_| self.0.acquire());
        // If the server has no room for all, requests use those that there are.
        let _ = join_all(connections).await;
    }

    /// A connection.
    ///
    /// # Errors
    ///
    /// If none is free in time, or the database can't be reached.
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, Failure> {
        self.0.acquire().await.failure("connecting to the database")
    }

    /// The connections, for those parts of this crate that change no order.
    pub(crate) const fn pool(&self) -> &PgPool {
        &self.0
    }

    /// Adds the metrics of the pool.
    pub(crate) fn observe(&self) {
        let pool = self.0.clone();
        metrics::observe(&metric::CONNECTIONS, move || {
            let (all, idle) = (f64::from(pool.size()), pool.num_idle() as f64);
            let states = [("idle", idle), ("used", (all - idle).max(0.0))];
            states.map(|(state, count)| (count, Some(KeyValue::new(metric::CONNECTION_STATE, state)))).into()
        });
        let most = self.0.options().get_max_connections();
        metrics::observe(&metric::MOST_CONNECTIONS, move || vec![(f64::from(most), None)]);
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}
