//! Sessions and keys: what a token stands for.

use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Caller, Role, Token};
use crate::{
    SessionLimits,
    fault::{Fault, FaultContext as _},
};

/// A use is written down at most this often: a session's every request would be a write otherwise.
const USE_RESOLUTION: Duration = Duration::from_secs(60);

/// Opens a session for an account; gives when it ends at the latest.
pub(super) async fn open(
    database: &PgPool,
    account: Uuid,
    token: &Token,
    limits: SessionLimits,
) -> Result<OffsetDateTime, Fault> {
    let expires_at = OffsetDateTime::now_utc() + limits.absolute;
    sqlx::query!(
        "INSERT INTO sessions (token_sha256, account_id, expires_at) VALUES ($1, $2, $3)",
        &token.sha256(),
        account,
        expires_at
    )
    .execute(database)
    .await
    .fault("opening a session")?;
    Ok(expires_at)
}

/// Who holds the token, if it is good and its account is enabled.
pub(super) async fn holder(database: &PgPool, token: &Token, limits: SessionLimits) -> Result<Option<Caller>, Fault> {
    let hash = token.sha256();
    if token.is_key() {
        let row = sqlx::query!(
            r#"SELECT accounts.id, role AS "role: Role" FROM api_keys JOIN accounts ON accounts.id = account_id
               WHERE key_sha256 = $1 AND disabled_at IS NULL"#,
            &hash
        );
        let row = row.fetch_optional(database).await.fault("looking a key up")?;
        return Ok(row.map(|row| Caller { account: row.id, role: row.role }));
    }
    let row = sqlx::query!(
        r#"SELECT accounts.id, role AS "role: Role", used_at FROM sessions JOIN accounts ON accounts.id = account_id
           WHERE token_sha256 = $1 AND disabled_at IS NULL AND expires_at > now()"#,
        &hash
    );
    let Some(row) = row.fetch_optional(database).await.fault("looking a session up")? else {
        return Ok(None);
    };
    let unused_for = OffsetDateTime::now_utc() - row.used_at;
    if unused_for > limits.idle {
        return Ok(None);
    }
    if unused_for > USE_RESOLUTION {
        sqlx::query!("UPDATE sessions SET used_at = now() WHERE token_sha256 = $1", &hash)
            .execute(database)
            .await
            .fault("noting a session's use")?;
    }
    Ok(Some(Caller { account: row.id, role: row.role }))
}

/// Ends a session at once.
pub(super) async fn close(database: &PgPool, token: &Token) -> Result<(), Fault> {
    sqlx::query!("DELETE FROM sessions WHERE token_sha256 = $1", &token.sha256())
        .execute(database)
        .await
        .fault("closing a session")?;
    Ok(())
}
