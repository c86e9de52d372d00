//! Sessions and keys: what a token stands for.

use std::{collections::HashMap, time::Duration};

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Caller, Role, Token};
use crate::{
    Batcher, Core, SessionLimits,
    failure::{Failure, FailureContext as _},
};

/// A use is written down at most this often: a session's every request would be a write otherwise.
const USE_RESOLUTION: Duration = Duration::from_secs(60);

/// Opens a session for an account; gives when it ends at the latest.
pub(super) async fn open(
    database: &PgPool,
    account: Uuid,
    token: &Token,
    limits: SessionLimits,
) -> Result<OffsetDateTime, Failure> {
    let expires_at = OffsetDateTime::now_utc() + limits.absolute;
    sqlx::query!(
        "INSERT INTO sessions (token_sha256, account_id, expires_at) VALUES ($1, $2, $3)",
        &token.sha256(),
        account,
        expires_at
    )
    .execute(database)
    .await
    .failure("opening a session")?;
    Ok(expires_at)
}

/// A session that hasn't ended, of an account that is enabled.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    caller: Caller,
    used_at: OffsetDateTime,
}

/// Looks sessions up by their tokens' hashes, those of all requests that came at the same time together.
pub type Sessions = Batcher<[u8; 32], Option<Session>>;

/// Looks sessions up in this database.
pub(crate) fn sessions(database: PgPool) -> Sessions {
    Batcher::new(move |hashes| find(database.clone(), hashes))
}

async fn find(database: PgPool, hashes: Vec<[u8; 32]>) -> Result<Vec<Option<Session>>, Failure> {
    let rows = sqlx::query!(
        r#"SELECT token_sha256, accounts.id, role AS "role: Role", used_at
           FROM sessions JOIN accounts ON accounts.id = account_id
           WHERE token_sha256 = ANY ($1) AND disabled_at IS NULL AND expires_at > now()"#,
        &hashes as &[[u8; 32]]
    );
    let rows = rows.fetch_all(&database).await.failure("looking sessions up")?;
    let found: HashMap<_, _> = rows
        .into_iter()
        .map(|row| {
            let caller = Caller { account: row.id, role: row.role };
            (row.token_sha256, Session { caller, used_at: row.used_at })
        })
        .collect();
    Ok(hashes.iter().map(|hash| found.get(&hash[..]).copied()).collect())
}

/// Who holds the token, if it is good and its account is enabled.
pub(super) async fn holder(core: &Core, token: &Token) -> Result<Option<Caller>, Failure> {
    let (hash, database) = (token.sha256(), &core.database);
    if token.is_key() {
        let row = sqlx::query!(
            r#"SELECT accounts.id, role AS "role: Role" FROM api_keys JOIN accounts ON accounts.id = account_id
               WHERE key_sha256 = $1 AND disabled_at IS NULL"#,
            &hash
        );
        let row = row.fetch_optional(database).await.failure("looking a key up")?;
        return Ok(row.map(|row| Caller { account: row.id, role: row.role }));
    }
    let Some(session) = core.sessions.ask(hash).await? else {
        return Ok(None);
    };
    let unused_for = OffsetDateTime::now_utc() - session.used_at;
    if unused_for > core.session_limits.idle {
        return Ok(None);
    }
    if unused_for > USE_RESOLUTION {
        sqlx::query!("UPDATE sessions SET used_at = now() WHERE token_sha256 = $1", &hash)
            .execute(database)
            .await
            .failure("noting a session's use")?;
    }
    Ok(Some(session.caller))
}

/// Ends a session at once.
pub(super) async fn close(database: &PgPool, token: &Token) -> Result<(), Failure> {
    sqlx::query!("DELETE FROM sessions WHERE token_sha256 = $1", &token.sha256())
        .execute(database)
        .await
        .failure("closing a session")?;
    Ok(())
}
