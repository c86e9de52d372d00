//! The connection to a service's database, and its tables.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Connection as _, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::failure::{Failure, FailureContext as _};

/// A connection that was used within this time is taken without asking whether it is still there.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long the database is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A request that gets no connection for this long is told to come back.
    pub connection: Duration,
    /// No statement takes this long unless something is wrong.
    pub statement: Duration,
    /// No wait for a lock does either.
    pub lock: Duration,
}

/// A transaction in which nothing happens for so long belongs to nobody any more: the server ends it.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);

/// A pool of at most `connections` connections. Connects when the first one is needed.
///
/// # Errors
///
/// If the URL can't be read.
pub fn pool(
    url: &SecretString,
    connections: u32,
    patience: Patience,
    application: &str,
) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    let limits = [
        ("statement_timeout", patience.statement),
        ("lock_timeout", patience.lock),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
    ];
    let limits = limits.map(|(name, limit)| (name, format!("{}ms", limit.as_millis())));
    let options = options.application_name(application).options(limits);
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience.connection)
        // A ping before every use would double the round trips; a connection that was just used is alive.
        .test_before_acquire(false)
        .before_acquire(|connection, state| {
            Box::pin(async move { Ok(state.idle_for < TRUSTED_FOR || connection.ping().await.is_ok()) })
        })
        .connect_lazy_with(options))
}

/// Brings the tables up to date: the shared ones, then the service's own. Several processes may try at once; one does it.
///
/// # Errors
///
/// If the database can't be reached or a migration fails.
pub async fn migrate(pool: &PgPool, own: Migrator) -> Result<(), Failure> {
    // A large table may take its time, and so may another process that migrates just now.
    let unlimited = ["statement_timeout", "lock_timeout"].map(|limit| (limit, "0"));
    let options = pool.connect_options().as_ref().clone().options(unlimited);
    let mut connection = PgConnection::connect_with(&options).await.failure("connecting to migrate")?;
    for mut migrations in [sqlx::migrate!(), own] {
        // A newer version, which this one runs beside, may have applied more.
        migrations.set_ignore_missing(true).run(&mut connection).await.failure("applying migrations")?;
    }
    connection.close().await.failure("closing the connection that migrated")
}
