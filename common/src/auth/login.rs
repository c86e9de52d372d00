//! Logging in: the password's check, the wait after failures, and the record of a failure.

use std::{net::IpAddr, sync::Arc};

use catalogue::{Action, ErrorType};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use sha2::Sha256;
use time::OffsetDateTime;
use tracing::Level;

use super::{
    password::{Hasher, HasherError},
    rate_limit::RateLimit,
    session::{SessionLimits, Sessions},
    throttle,
    token::Token,
};
use crate::{
    database::Database,
    domain::{AccountId, Role},
    failure::{Failure, FailureContext as _},
    problem::{ApiError, ProblemCode, Rejection},
    telemetry::{Record, Subject},
};

/// What a service authenticates its callers with.
#[derive(Clone)]
pub struct Auth {
    database: Database,
    /// Checks passwords.
    pub hasher: Hasher,
    /// The open sessions, and the keys.
    pub sessions: Sessions,
    /// Holds floods of logins off.
    pub rate_limit: RateLimit,
    /// The key that unknown logins are hashed with in the log.
    login_hash_key: Arc<[u8]>,
}

/// An open session.
#[derive(Debug)]
pub struct LoggedIn {
    /// The session's token.
    pub token: Token,
    /// When the session ends at the latest.
    pub expires_at: OffsetDateTime,
    /// The account.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
}

/// Where a login comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// An IPv4 address, or the first 64 bits of an IPv6 address. Not for the log.
    pub address: IpAddr,
    /// The address cut to its network, for the log.
    pub network: IpAddr,
}

impl Auth {
    /// What a service with this database authenticates with.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub(crate) fn new(
        database: Database,
        limits: SessionLimits,
        rate_limit: RateLimit,
        login_hash_key: Arc<[u8]>,
    ) -> Result<Self, Failure> {
        let sessions = Sessions::new(database.clone(), limits);
        Ok(Self { database, hasher: Hasher::new()?, sessions, rate_limit, login_hash_key })
    }

    /// Opens a session for a login and its password.
    ///
    /// # Errors
    ///
    /// `401` for a wrong password, an unknown and a disabled account alike; `429` after too many failures in a row, or if
    /// more passwords come than can be checked.
    pub async fn log_in(&self, source: Source, login: &str, password: SecretString) -> Result<LoggedIn, ApiError> {
        let row = sqlx::query!(
            r#"SELECT id AS "id: AccountId", password_hash AS "password_hash!", role AS "role: Role", disabled_at,
                      CASE WHEN known.account_id IS NULL THEN accounts.failures ELSE known.failures END AS "failures!",
                      CASE WHEN known.account_id IS NULL THEN accounts.failed_at ELSE known.failed_at END AS failed_at
               FROM accounts LEFT JOIN login_sources AS known ON known.account_id = id AND known.source = $2
               WHERE login = $1 AND password_hash IS NOT NULL"#,
            // PostgreSQL's text has no NUL, so no login has one either.
            login.replace('\0', "\u{fffd}"),
            source.address.to_string()
        );
        let account = row.fetch_optional(self.database.pool()).await.failure("looking an account up")?;
        let now = OffsetDateTime::now_utc();
        if let Some(delay) =
            account.as_ref().and_then(|account| throttle::delay(account.failures, account.failed_at, now))
        {
            let detail = "Too many failed logins; try again later.";
            return Err(Rejection::retry_after(ProblemCode::TooManyAttempts, detail, delay).into());
        }

        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.hasher.verify(password, hash).await.map_err(|error| match error {
            HasherError::Busy => ApiError::from(Rejection::busy()),
            HasherError::Failure(failure) => failure.into(),
        })?;
        let account = match account {
            Some(account) if fits && account.disabled_at.is_none() => account,
            other => {
                self.report_failure(source, other.map(|account| account.id), login).await?;
                let detail = "No account has this login and password.";
                return Err(Rejection::new(ProblemCode::WrongCredentials, detail).into());
            }
        };

        throttle::succeeded(&self.database, account.id, source.address).await?;
        let token = Token::new_session().map_err(|error| Failure::new(ErrorType::Internal, "making a token", error))?;
        let expires_at = self.sessions.open(account.id, &token).await?;
        Ok(LoggedIn { token, expires_at, account: account.id, role: account.role })
    }

    /// Counts and records a failed login. Unknown, disabled and wrong look the same to the client.
    async fn report_failure(&self, source: Source, account: Option<AccountId>, login: &str) -> Result<(), Failure> {
        let failures = match account {
            Some(account) => Some(throttle::failed(&self.database, account, source.address).await?),
            None => None,
        };
        let repeated = failures.filter(|failures| *failures >= throttle::REPEATED_FROM);
        let record = match repeated {
            Some(failures) => Record::notice(Action::LoginFailedRepeatedly, Subject::default())
                .level(Level::WARN)
                .failures(u64::from(failures.unsigned_abs())),
            None => Record::notice(Action::LoginFailed, Subject::default()),
        };
        let hash = account.is_none().then(|| keyed_hash(&self.login_hash_key, login));
        record.unsuccessful().user(account).user_hash(hash).source_ip(source.network).write();
        Ok(())
    }
}

/// People type passwords into the login field: a login that no account has never appears as typed, yet the same text can be
/// recognised again.
fn keyed_hash(key: &[u8], login: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(login.as_bytes());
    let hash = mac.finalize().into_bytes();
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
