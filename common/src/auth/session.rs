//! Sessions and keys: the account behind a token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use catalogue::Action;
use time::OffsetDateTime;
use tracing::Level;

use super::{accounts::changed, caller::Caller, source::Source, token::Token};
use crate::{
    batcher::Batcher,
    database::Database,
    domain::{AccountId, Role, SessionId},
    failure::{Failure, FailureContext as _},
    unit_of_work::Units,
};

/// A use is written at most this often: each request would be a write otherwise.
const USE_RESOLUTION: Duration = Duration::from_secs(60);

/// How long a session lives.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// It ends when it wasn't used for this long.
    pub idle: Duration,
    /// It ends this long after the login.
    pub absolute: Duration,
}

/// An open session, as its owner sees it.
#[derive(Clone, Copy, Debug)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: OffsetDateTime,
    /// When it was used last, to the minute.
    pub used_at: OffsetDateTime,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// A session that hasn't ended, of an account that is enabled.
#[derive(Clone, Copy, Debug)]
struct Session {
    caller: Caller,
    used_at: OffsetDateTime,
}

/// The sessions of a service. Look-ups of requests that come at the same time share a statement.
#[derive(Clone)]
pub struct Sessions {
    database: Database,
    units: Units,
    limits: SessionLimits,
    lookups: Arc<Batcher<[u8; 32], Option<Session>>>,
}

impl Sessions {
    /// The sessions in this database.
    #[must_use]
    pub(super) fn new(database: Database, units: Units, limits: SessionLimits) -> Self {
        let lookups = {
            let database = database.clone();
            Batcher::new(move |hashes| find(database.clone(), hashes))
        };
        Self { database, units, limits, lookups: Arc::new(lookups) }
    }

    /// Opens a session for an account that still has the password with this hash. Returns when it ends at the latest; nothing if
    /// the password was changed, or the account disabled, since it was verified.
    pub(super) async fn open(
        &self,
        account: AccountId,
        password_hash: &str,
        token: &Token,
    ) -> Result<Option<OffsetDateTime>, Failure> {
        let expires_at = OffsetDateTime::now_utc() + self.limits.absolute;
        let opened = sqlx::query!(
            // The lock waits for a change of the password that is under way, and makes a later one wait, which ends this session.
            "INSERT INTO sessions (token_sha256, account_id, expires_at)
             SELECT $1, id, $4 FROM accounts WHERE id = $2 AND password_hash = $3 AND disabled_at IS NULL FOR SHARE",
            &token.sha256(),
            account.uuid(),
            password_hash,
            expires_at
        );
        let opened = opened.execute(self.database.pool()).await.failure("opening a session")?;
        Ok((opened.rows_affected() > 0).then_some(expires_at))
    }

    /// The account behind a token or key, if that is valid and the account is enabled. The first use of a key is recorded, and so
    /// is one that is refused.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn holder(&self, token: &Token, source: Source) -> Result<Option<Caller>, Failure> {
        if token.is_key() {
            return self.holder_of_key(token, source).await;
        }
        let hash = token.sha256();
        let Some(session) = self.lookups.submit(hash).await? else {
            return Ok(None);
        };
        let unused_for = OffsetDateTime::now_utc() - session.used_at;
        if unused_for > self.limits.idle {
            return Ok(None);
        }
        if unused_for > USE_RESOLUTION {
            sqlx::query!("UPDATE sessions SET used_at = now() WHERE token_sha256 = $1", &hash)
                .execute(self.database.pool())
                .await
                .failure("noting a session's use")?;
        }
        Ok(Some(session.caller))
    }

    async fn holder_of_key(&self, key: &Token, source: Source) -> Result<Option<Caller>, Failure> {
        let hash = key.sha256();
        let row = sqlx::query!(
            r#"SELECT accounts.id AS "account: AccountId", role AS "role: Role", used_at
               FROM api_keys JOIN accounts ON accounts.id = account_id
               WHERE key_sha256 = $1 AND disabled_at IS NULL"#,
            &hash
        );
        let Some(row) = row.fetch_optional(self.database.pool()).await.failure("looking a key up")? else {
            source.record(Action::KeyRefused).unsuccessful().level(Level::WARN).write();
            return Ok(None);
        };
        if row.used_at.is_none() {
            let mut unit = self.units.begin("key").await?;
            let used =
                sqlx::query!("UPDATE api_keys SET used_at = now() WHERE key_sha256 = $1 AND used_at IS NULL", &hash);
            let used = used.execute(unit.connection()).await.failure("noting a key's first use")?;
            // Of several requests at once, one is the first.
            if used.rows_affected() > 0 {
                unit.record(changed(Action::KeyFirstUsed, row.account).source_ip(source.network));
            }
            unit.commit().await?;
        }
        Ok(Some(Caller { account: row.account, role: row.role }))
    }

    /// The open sessions of an account, the newest first.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn of_account(&self, account: AccountId, current: &Token) -> Result<Vec<OpenSession>, Failure> {
        let rows = sqlx::query_as!(
            OpenSession,
            r#"SELECT id AS "id: SessionId", created_at, used_at, expires_at, token_sha256 = $2 AS "is_current!"
               FROM sessions WHERE account_id = $1 AND expires_at > now() AND used_at > now() - make_interval(secs => $3)
               ORDER BY created_at DESC, id LIMIT 1000"#,
            account.uuid(),
            &current.sha256(),
            self.limits.idle.as_secs_f64()
        );
        rows.fetch_all(self.database.pool()).await.failure("listing sessions")
    }

    /// Ends the session of this id, if the account has it. Returns whether it did.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn end(&self, id: SessionId, account: AccountId, source: Source) -> Result<bool, Failure> {
        let ended = sqlx::query!("DELETE FROM sessions WHERE id = $1 AND account_id = $2", id.uuid(), account.uuid());
        let ended = ended.execute(self.database.pool()).await.failure("ending a session")?.rows_affected() > 0;
        if ended {
            source.record(Action::LoggedOut).user(Some(account)).write();
        }
        Ok(ended)
    }

    /// Deletes the sessions whose time is over, and those that weren't used; each with its record.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn expire(&self) -> Result<(), Failure> {
        const BATCH: i64 = 500;
        loop {
            let mut unit = self.units.begin("sessions").await?;
            let ended = sqlx::query_scalar!(
                r#"DELETE FROM sessions WHERE token_sha256 IN (
                       SELECT token_sha256 FROM sessions
                       WHERE expires_at < now() OR used_at < now() - make_interval(secs => $1)
                       LIMIT $2 FOR UPDATE SKIP LOCKED)
                   RETURNING account_id AS "account: AccountId""#,
                self.limits.idle.as_secs_f64(),
                BATCH
            );
            let ended = ended.fetch_all(unit.connection()).await.failure("deleting ended sessions")?;
            if ended.is_empty() {
                return Ok(());
            }
            unit.record_all(ended.into_iter().map(|account| changed(Action::SessionExpired, account)));
            unit.commit().await?;
        }
    }

    /// Ends a session of the account at once, and records that.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn log_out(&self, token: &Token, account: AccountId, source: Source) -> Result<(), Failure> {
        let ended = sqlx::query!("DELETE FROM sessions WHERE token_sha256 = $1", &token.sha256());
        let ended = ended.execute(self.database.pool()).await.failure("closing a session")?;
        // Of two requests at once, one has ended it.
        if ended.rows_affected() > 0 {
            source.record(Action::LoggedOut).user(Some(account)).write();
        }
        Ok(())
    }
}

async fn find(database: Database, hashes: Vec<[u8; 32]>) -> Result<Vec<Option<Session>>, Failure> {
    let rows = sqlx::query!(
        r#"SELECT token_sha256, accounts.id AS "account: AccountId", role AS "role: Role", used_at
           FROM sessions JOIN accounts ON accounts.id = account_id
           WHERE token_sha256 = ANY ($1) AND disabled_at IS NULL AND expires_at > now()"#,
        &hashes as &[[u8; 32]]
    );
    let rows = rows.fetch_all(database.pool()).await.failure("looking sessions up")?;
    let found: HashMap<_, _> = rows
        .into_iter()
        .map(|row| {
            let caller = Caller { account: row.account, role: row.role };
            (row.token_sha256, Session { caller, used_at: row.used_at })
        })
        .collect();
    Ok(hashes.iter().map(|hash| found.get(&hash[..]).copied()).collect())
}
