//! Sessions and keys: the account behind a token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{caller::Caller, token::Token};
use crate::{
    batcher::Batcher,
    database::Database,
    domain::{AccountId, Role},
    failure::{Failure, FailureContext as _},
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
    limits: SessionLimits,
    lookups: Arc<Batcher<[u8; 32], Option<Session>>>,
}

impl Sessions {
    /// The sessions in this database.
    #[must_use]
    pub(super) fn new(database: Database, limits: SessionLimits) -> Self {
        let lookups = {
            let database = database.clone();
            Batcher::new(move |hashes| find(database.clone(), hashes))
        };
        Self { database, limits, lookups: Arc::new(lookups) }
    }

    /// Opens a session for an account. Returns when it ends at the latest.
    pub(super) async fn open(&self, account: AccountId, token: &Token) -> Result<OffsetDateTime, Failure> {
        let expires_at = OffsetDateTime::now_utc() + self.limits.absolute;
        sqlx::query!(
            "INSERT INTO sessions (token_sha256, account_id, expires_at) VALUES ($1, $2, $3)",
            &token.sha256(),
            account.uuid(),
            expires_at
        )
        .execute(self.database.pool())
        .await
        .failure("opening a session")?;
        Ok(expires_at)
    }

    /// The account behind a token or key, if that is valid and the account is enabled.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn holder(&self, token: &Token) -> Result<Option<Caller>, Failure> {
        let hash = token.sha256();
        if token.is_key() {
            let row = sqlx::query!(
                r#"SELECT accounts.id AS "account: AccountId", role AS "role: Role"
                   FROM api_keys JOIN accounts ON accounts.id = account_id
                   WHERE key_sha256 = $1 AND disabled_at IS NULL"#,
                &hash
            );
            let row = row.fetch_optional(self.database.pool()).await.failure("looking a key up")?;
            return Ok(row.map(|row| Caller { account: row.account, role: row.role }));
        }
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

    /// Ends a session at once.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn close(&self, token: &Token) -> Result<(), Failure> {
        sqlx::query!("DELETE FROM sessions WHERE token_sha256 = $1", &token.sha256())
            .execute(self.database.pool())
            .await
            .failure("closing a session")?;
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
