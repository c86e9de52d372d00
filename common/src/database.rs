//! The connection to a service's database, and its tables.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Connection as _, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::fault::{Fault, FaultContext as _};

/// The tables that every service's database has.
static SHARED: Migrator = sqlx::migrate!();

/// A request that gets no connection for this long is told to come back.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(5);
/// A connection that was used within this time is taken without asking whether it is still there.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// No statement of ours takes this long unless something is wrong; no wait for a lock does either.
const LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "15s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")];

/// A pool of at most `connections` connections. Connects when the first one is needed.
///
/// # Errors
///
/// If the URL can't be read.
pub fn pool(url: &SecretString, connections: u32, application: &str) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    let options = options.application_name(application).options(LIMITS);
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_PATIENCE)
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
pub async fn migrate(pool: &PgPool, own: &Migrator) -> Result<(), Fault> {
    SHARED.run(pool).await.fault("applying the shared migrations")?;
    own.run(pool).await.fault("applying the service's migrations")
}
