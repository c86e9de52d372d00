//! `Idempotency-Key`: a repeated request gets the first answer, and nothing happens twice
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).

use axum::http::{HeaderMap, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    failure::FailureContext as _,
    http::{ApiError, Rejection},
};

/// A request that its client may repeat.
#[derive(Debug)]
pub struct Attempt {
    account: Uuid,
    key: String,
    request_sha256: [u8; 32],
}

/// How a request with a key begins.
#[derive(Debug)]
pub enum Begun<T> {
    /// As the first one: in this transaction.
    First(Transaction<'static, Postgres>),
    /// As a repetition: this was the answer.
    Repeated(T),
}

impl Attempt {
    /// Reads the header. `request` is whatever makes two requests the same.
    ///
    /// # Errors
    ///
    /// `422` for a key that isn't 1 to 255 printable ASCII characters.
    pub fn of(account: Uuid, headers: &HeaderMap, request: &impl Serialize) -> Result<Option<Self>, ApiError> {
        let Some(key) = headers.get("idempotency-key") else {
            return Ok(None);
        };
        let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
        let key =
            key.ok_or_else(|| Rejection::invalid("Idempotency-Key must have 1 to 255 printable ASCII characters"))?;
        let request = serde_json::to_vec(request).failure("writing a request down")?;
        Ok(Some(Self { account, key: key.to_owned(), request_sha256: Sha256::digest(request).into() }))
    }

    /// Begins the request's transaction, unless it had an answer before. Until the transaction ends, no other request
    /// gets past this with the same key.
    ///
    /// # Errors
    ///
    /// `409` while the first request is under way, `422` if that was another request.
    pub async fn begin<T: DeserializeOwned>(&self, database: &PgPool) -> Result<Begun<T>, ApiError> {
        let mut transaction = database.begin().await.failure("beginning a request")?;
        let repeated = match self.first_answer(&mut transaction).await {
            Ok(None) => return Ok(Begun::First(transaction)),
            Ok(Some(answer)) => Ok(Begun::Repeated(answer)),
            Err(error) => Err(error),
        };
        // Before the answer, not some time after it: it holds the key's lock, which would turn the next request away.
        let released = transaction.rollback().await.failure("looking a first answer up");
        repeated.and_then(|begun| Ok(released.map(|()| begun)?))
    }

    async fn first_answer<T: DeserializeOwned>(&self, transaction: &mut PgConnection) -> Result<Option<T>, ApiError> {
        let lock = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "taken!""#,
            format!("{}/{}", self.account, self.key)
        );
        if !lock.fetch_one(&mut *transaction).await.failure("locking an idempotency key")? {
            return Err(
                Rejection::conflict("request_in_progress", "The first request with this key is under way.").into()
            );
        }
        let row = sqlx::query!(
            "SELECT request_sha256, answer FROM idempotency_keys WHERE account_id = $1 AND key = $2",
            self.account,
            self.key
        );
        let Some(row) = row.fetch_optional(transaction).await.failure("looking an idempotency key up")? else {
            return Ok(None);
        };
        if row.request_sha256 != self.request_sha256 {
            let detail = "This Idempotency-Key was used for another request.";
            return Err(Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail).into());
        }
        Ok(Some(serde_json::from_value(row.answer).failure("reading a first answer")?))
    }

    /// Keeps the answer, in the transaction of what it reports.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn keep(&self, transaction: &mut PgConnection, answer: &impl Serialize) -> Result<(), ApiError> {
        let answer = serde_json::to_value(answer).failure("writing an answer down")?;
        sqlx::query!(
            "INSERT INTO idempotency_keys (account_id, key, request_sha256, answer) VALUES ($1, $2, $3, $4)",
            self.account,
            self.key,
            &self.request_sha256,
            answer
        )
        .execute(transaction)
        .await
        .failure("keeping an answer")?;
        Ok(())
    }
}
