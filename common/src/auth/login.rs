//! Logging in: the password's check, the wait after failures, and the record of what became of it.

use std::{num::NonZeroU32, time::Duration};

use catalogue::{Action, ErrorType};
use secrecy::SecretString;
use time::OffsetDateTime;
use tracing::Level;

use super::{
    accounts::{AccountError, changed},
    caller::Caller,
    login_hash::{LoginHash, LoginHasher},
    password::{Hasher, HasherError},
    rate_limit::RateLimit,
    session::{SessionLimits, Sessions},
    source::Source,
    throttle,
    token::Token,
};
use crate::{
    database::Database,
    domain::{AccountId, Role},
    failure::{Failure, FailureContext as _},
    problem::{ApiError, ProblemCode, Rejection},
    telemetry::Record,
    unit_of_work::Units,
};

/// What a service authenticates its callers with.
#[derive(Clone)]
pub struct Auth {
    database: Database,
    units: Units,
    /// Checks passwords.
    pub hasher: Hasher,
    /// The open sessions, and the keys.
    pub sessions: Sessions,
    /// Holds floods of logins off.
    pub rate_limit: RateLimit,
    login_hasher: LoginHasher,
    source_failures: NonZeroU32,
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

/// A login that is being tried.
struct Attempt {
    source: Source,
    /// Where an account's own failures count apart: the address, but for a change of the password.
    place: String,
    hash: LoginHash,
    /// The account that has the login, if there is one.
    account: Option<AccountId>,
}

/// Whose password it was, and the hash that it fits.
struct Verified {
    caller: Caller,
    password_hash: String,
}

/// What the database knows of a login that is being tried.
struct Tried {
    account: Option<AccountId>,
    password_hash: Option<String>,
    role: Option<Role>,
    disabled_at: Option<OffsetDateTime>,
    failures: Option<i32>,
    /// How long ago the last of them was, by the database's clock, as the replicas' clocks may differ.
    seconds_since_failure: Option<f64>,
}

impl Tried {
    fn delay(&self) -> Option<Duration> {
        // A clock that was set back counts as if no time had passed.
        let passed = Duration::try_from_secs_f64(self.seconds_since_failure?).unwrap_or_default();
        throttle::delay(self.failures?, passed)
    }
}

impl Attempt {
    fn record(&self, action: Action) -> Record {
        let hash = self.account.is_none().then(|| self.hash.short());
        self.source.record(action).user(self.account).user_hash(hash)
    }

    fn record_throttled(&self) {
        self.record(Action::Throttled).unsuccessful().level(Level::WARN).write();
    }

    /// Refuses the attempt, and records that, if the failures before it make it wait.
    fn refuse_if_delayed(&self, tried: &Tried) -> Result<(), Rejection> {
        let Some(delay) = tried.delay() else { return Ok(()) };
        self.record_throttled();
        let detail = "Too many failed logins; try again later.";
        Err(Rejection::retry_after(ProblemCode::TooManyAttempts, detail, delay))
    }
}

impl Auth {
    /// What a service with this database authenticates with. Logins are hashed with this key, or with the database's own. With so
    /// many failures, an address is worth a warning.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub(crate) fn new(
        database: Database,
        units: Units,
        limits: SessionLimits,
        rate_limit: RateLimit,
        login_hash_key: Option<SecretString>,
        source_failures: NonZeroU32,
    ) -> Result<Self, Failure> {
        let sessions = Sessions::new(database.clone(), units.clone(), limits);
        let login_hasher = LoginHasher::new(database.clone(), login_hash_key);
        Ok(Self { database, units, hasher: Hasher::new()?, sessions, rate_limit, login_hasher, source_failures })
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    /// Opens a session for a login and its password. Unknown, disabled and wrong look the same to the client, and take the same
    /// statements and the same time.
    ///
    /// # Errors
    ///
    /// `401` for a wrong password, an unknown and a disabled account alike; `429` after too many failures in a row, or if
    /// more passwords come than can be checked.
    pub async fn log_in(&self, source: Source, login: &str, password: SecretString) -> Result<LoggedIn, ApiError> {
        // PostgreSQL's text has no NUL, so no login has one either.
        let login = login.replace('\0', "\u{fffd}");
        let hash = self.login_hasher.hash(&login).await?;
        let attempt = Attempt { source, place: source.address.to_string(), hash, account: None };
        let (attempt, verified) = self.verify(attempt, &login, password).await?;
        let Verified { caller: Caller { account, role }, password_hash } = verified;
        let token = Token::new_session().map_err(|error| Failure::new(ErrorType::Internal, "making a token", error))?;
        let Some(expires_at) = self.sessions.open(account, &password_hash, &token).await? else {
            return Err(self.wrong(&attempt).await);
        };
        attempt.record(Action::LoginSucceeded).write();
        Ok(LoggedIn { token, expires_at, account, role })
    }

    /// Gives an account a new password and ends all its sessions but the one with this token.
    ///
    /// # Errors
    ///
    /// `401` if the old password is wrong, `422` if the new one is weak, `429` as for [`log_in`](Self::log_in).
    pub async fn change_password(
        &self,
        source: Source,
        account: AccountId,
        token: &Token,
        [old, new]: [SecretString; 2],
    ) -> Result<(), ApiError> {
        let login = sqlx::query_scalar!("SELECT login FROM accounts WHERE id = $1", account.uuid());
        let login = login.fetch_one(self.database.pool()).await.failure("looking an account up")?;
        // Counted apart from the login, as if it came from a place of its own: who has got hold of a session can't keep the owner
        // from logging in. No login has a NUL.
        let hash = self.login_hasher.hash(&format!("\0{account}")).await?;
        let attempt = Attempt { source, place: "password change".to_owned(), hash, account: None };
        let (attempt, verified) = self.verify(attempt, &login, old).await?;
        let new_hash = self.hasher.hash(new, &login).await.map_err(AccountError::from)?.map_err(AccountError::from)?;
        let mut unit = self.units.begin("password").await?;
        let replaced = sqlx::query!(
            "UPDATE accounts SET password_hash = $2 WHERE id = $1 AND password_hash = $3",
            account.uuid(),
            new_hash,
            verified.password_hash
        );
        // Of two changes at once, the later one doesn't know the password any more.
        if replaced.execute(unit.connection()).await.failure("storing a password")?.rows_affected() == 0 {
            // Its connection isn't kept while the failure is counted over another one.
            drop(unit);
            return Err(self.wrong(&attempt).await);
        }
        // In a statement of its own, which sees sessions that were opened while the first one waited for their locks.
        sqlx::query!(
            "DELETE FROM sessions WHERE account_id = $1 AND token_sha256 <> $2",
            account.uuid(),
            &token.sha256()
        )
        .execute(unit.connection())
        .await
        .failure("ending an account's other sessions")?;
        unit.record(changed(Action::AccountPasswordChanged, account).source_ip(source.network));
        Ok(unit.commit().await?)
    }

    /// The account with this login and password; failures are counted and recorded.
    async fn verify(
        &self,
        attempt: Attempt,
        login: &str,
        password: SecretString,
    ) -> Result<(Attempt, Verified), ApiError> {
        let tried = self.look_up(login, &attempt).await?;
        let attempt = Attempt { account: tried.account, ..attempt };
        attempt.refuse_if_delayed(&tried)?;

        let fits = self.hasher.verify(password, tried.password_hash.clone()).await.map_err(|error| match error {
            HasherError::Busy => {
                attempt.record_throttled();
                ApiError::from(Rejection::busy())
            }
            HasherError::Failure(failure) => failure.into(),
        })?;
        // Once more: attempts that are sent at once have all seen the same count before they waited for their turn to hash.
        attempt.refuse_if_delayed(&self.look_up(login, &attempt).await?)?;
        let is_enabled = tried.disabled_at.is_none();
        let known = tried.account.zip(tried.role).zip(tried.password_hash);
        let Some(((account, role), password_hash)) = known.filter(|_| fits && is_enabled) else {
            return Err(self.wrong(&attempt).await);
        };
        throttle::succeeded(&self.database, &attempt.hash, account, &attempt.place).await?;
        Ok((attempt, Verified { caller: Caller { account, role }, password_hash }))
    }

    /// Counts a failed attempt; what the client is told of it, or our failure to count it.
    async fn wrong(&self, attempt: &Attempt) -> ApiError {
        match self.count_failure(attempt).await {
            Ok(()) => Rejection::new(ProblemCode::WrongCredentials, "No account has this login and password.").into(),
            Err(failure) => failure.into(),
        }
    }

    /// The account that has the login, and the failures that count for this attempt.
    async fn look_up(&self, login: &str, attempt: &Attempt) -> Result<Tried, Failure> {
        let tried = sqlx::query_as!(
            Tried,
            r#"SELECT accounts.id AS "account?: AccountId", password_hash AS "password_hash?", role AS "role?: Role",
                      disabled_at AS "disabled_at?",
                      CASE WHEN known.account_id IS NULL THEN counted.failures ELSE known.failures END AS failures,
                      extract(epoch FROM clock_timestamp() -
                          CASE WHEN known.account_id IS NULL THEN counted.failed_at ELSE known.failed_at END)::float8
                          AS seconds_since_failure
               FROM (VALUES ($1::text, $3::bytea)) AS tried (login, login_hash)
               LEFT JOIN accounts ON accounts.login = tried.login AND password_hash IS NOT NULL
               LEFT JOIN login_sources AS known ON known.account_id = accounts.id AND known.source = $2
               LEFT JOIN login_failures AS counted ON counted.login_hash = tried.login_hash"#,
            login,
            attempt.place,
            attempt.hash.bytes()
        );
        tried.fetch_one(self.database.pool()).await.failure("looking an account up")
    }

    /// Counts and records a failed login, and the one that makes its address worth a warning.
    async fn count_failure(&self, attempt: &Attempt) -> Result<(), Failure> {
        let Attempt { source, place, hash, account } = attempt;
        let source_hash = self.login_hasher.hash(&format!("\0{}", source.address)).await?;
        let failures = throttle::failed(&self.database, [hash, &source_hash], *account, place).await?;
        let of_login = failures.of_login.unsigned_abs();
        let record = if failures.of_login >= throttle::REPEATED_FROM {
            attempt.record(Action::LoginFailedRepeatedly).level(Level::WARN).failures(of_login.into())
        } else {
            attempt.record(Action::LoginFailed)
        };
        record.unsuccessful().write();
        // Each count is returned once over all replicas, so there is one record for a window. Its further failures don't wait: one
        // address may be that of an office, or of a mobile network, whose people could lock each other out.
        let of_source = failures.of_source.unsigned_abs();
        if of_source == self.source_failures.get() {
            let record = source.record(Action::SourceFailedRepeatedly).failures(of_source.into());
            record.unsuccessful().level(Level::WARN).write();
        }
        Ok(())
    }
}
