//! A failure of ours: what the log says about it, and nothing that a client sees.

use std::{error::Error, fmt, sync::Arc};

pub use catalogue::ErrorType;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Something of ours went wrong: the database, the broker, the model store, or a bug. It carries its class and the
/// whole chain of causes to the one place that logs it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The class, to group and count by.
    pub error_type: ErrorType,
    context: &'static str,
    /// Shared by all whose work failed together.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with its cause. `context` says what was being done.
    pub fn new(error_type: ErrorType, context: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error_type, context, source: Some(Arc::from(source.into())) }
    }

    /// A failure without a further cause.
    #[must_use]
    pub const fn bare(error_type: ErrorType, context: &'static str) -> Self {
        Self { error_type, context, source: None }
    }

    /// The whole chain in one line, the outermost first.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error with all its causes in one line, the outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some libraries repeat their source in their own words.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.context)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Says what was being done when a library's call failed, and so makes its error a [`Failure`].
pub trait FailureContext<T> {
    /// Turns the error into a failure.
    ///
    /// # Errors
    ///
    /// The same as before, as a failure.
    fn failure(self, context: &'static str) -> Result<T, Failure>;
}

impl<T, E: Classified> FailureContext<T> for Result<T, E> {
    fn failure(self, context: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.error_type(), context, error))
    }
}

/// A library's error whose class is known.
pub trait Classified: Error + Send + Sync + 'static {
    /// The class.
    fn error_type(&self) -> ErrorType;
}

impl Classified for sqlx::Error {
    fn error_type(&self) -> ErrorType {
        match self {
            // A protocol error is what a proxy in front of a database that is away looks like.
            Self::Io(_)
            | Self::Tls(_)
            | Self::Protocol(_)
            | Self::PoolTimedOut
            | Self::PoolClosed
            | Self::WorkerCrashed => ErrorType::DatabaseUnavailable,
            Self::Database(error) if ends_the_session(error.as_ref()) => ErrorType::DatabaseUnavailable,
            // The transaction is rolled back, and the next try may get its locks.
            Self::Database(error) if lacks_a_lock(error.as_ref()) => ErrorType::DatabaseUnavailable,
            // Class 57 is operator intervention (shutdown), class 53 insufficient resources, class 08 a lost
            // connection: https://www.postgresql.org/docs/current/errcodes-appendix.html
            Self::Database(error)
                if error.code().is_some_and(|code| ["57", "53", "08"].iter().any(|class| code.starts_with(class))) =>
            {
                ErrorType::DatabaseUnavailable
            }
            _ => ErrorType::DatabaseError,
        }
    }
}

/// Whether PostgreSQL closed the connection with this error, or never let us in: the database is stopped, renamed,
/// dropped, or closed to us.
fn ends_the_session(error: &dyn sqlx::error::DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    error.is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// Whether a statement waited for a lock in vain, or in a circle: `lock_not_available` or `deadlock_detected`.
pub(crate) fn lacks_a_lock(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| ["55P03", "40P01"].contains(&&*code))
}

impl Classified for sqlx::migrate::MigrateError {
    fn error_type(&self) -> ErrorType {
        match self {
            Self::Execute(error) | Self::ExecuteMigration(error, _) => error.error_type(),
            _ => ErrorType::DatabaseError,
        }
    }
}

impl Classified for lapin::Error {
    fn error_type(&self) -> ErrorType {
        use lapin::ErrorKind::{
            IOError, InvalidChannelState, InvalidConnectionState, MissingHeartbeatError, RuntimeShutdownError,
        };
        match self.kind() {
            IOError(_)
            | InvalidChannelState(..)
            | InvalidConnectionState(_)
            | MissingHeartbeatError
            | RuntimeShutdownError(_) => ErrorType::BrokerUnavailable,
            _ => ErrorType::BrokerError,
        }
    }
}

impl Classified for serde_json::Error {
    fn error_type(&self) -> ErrorType {
        ErrorType::Internal
    }
}

impl Classified for tokio::time::error::Elapsed {
    fn error_type(&self) -> ErrorType {
        ErrorType::Timeout
    }
}

impl Classified for tokio::task::JoinError {
    fn error_type(&self) -> ErrorType {
        if self.is_panic() { ErrorType::Panic } else { ErrorType::Internal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let cause = std::io::Error::other("connection reset");
        let failure = Err::<(), _>(sqlx::Error::Io(cause)).failure("storing the order").expect_err("it is one");
        assert_eq!(failure.error_type, ErrorType::DatabaseUnavailable);
        assert!(failure.chain().starts_with("storing the order: "), "{}", failure.chain());
        assert_eq!(failure.chain().matches("connection reset").count(), 1, "{}", failure.chain());
    }
}
