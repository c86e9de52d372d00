//! `Idempotency-Key`: a repeated request gets the first response, and nothing happens twice
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::AccountId,
    failure::FailureContext as _,
    planted::{self, Bug},
    problem::{ApiError, ProblemCode, Rejection},
    unit_of_work::UnitOfWork,
};

/// The header's value: 1 to 255 printable ASCII characters, chosen by the client.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header's value.
    ///
    /// # Errors
    ///
    /// `422` for anything but 1 to 255 printable ASCII characters.
    pub fn parse(value: &[u8]) -> Result<Self, Rejection> {
        let printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
        let key = std::str::from_utf8(value).ok().filter(|key| printable && (1..=255).contains(&key.len()));
        let key =
            key.ok_or_else(|| Rejection::invalid("Idempotency-Key must have 1 to 255 printable ASCII characters"))?;
        Ok(Self(key.to_owned()))
    }
}

/// A request that its client may repeat.
#[derive(Debug)]
pub struct RepeatableRequest {
    account: AccountId,
    key: IdempotencyKey,
    request_sha256: [u8; 32],
}

impl RepeatableRequest {
    /// `request` is everything that makes two requests the same.
    ///
    /// # Errors
    ///
    /// If the request can't be serialised.
    pub fn new(account: AccountId, key: IdempotencyKey, request: &impl Serialize) -> Result<Self, ApiError> {
        let request = serde_json::to_vec(request).failure("serialising a request")?;
        Ok(Self { account, key, request_sha256: Sha256::digest(request).into() })
    }

    /// The response that the request had before, if it had one. Until the unit ends, no other request with the same key gets
    /// past this.
    ///
    /// # Errors
    ///
    /// `409` while the first request is being handled, `422` if that was another request.
    pub async fn first_response<T: DeserializeOwned>(&self, unit: &mut UnitOfWork) -> Result<Option<T>, ApiError> {
        let lock = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "taken!""#,
            format!("{}/{}", self.account, self.key.0)
        );
        if !lock.fetch_one(unit.connection()).await.failure("locking an idempotency key")? {
            let detail = "The first request with this key is under way.";
            return Err(Rejection::new(ProblemCode::RequestInProgress, detail).into());
        }
        if let Some(first) = planted::recall(Bug::KeysInMemory, &self.key.0, Duration::MAX) {
            return Ok(Some(first));
        }
        let row = sqlx::query!(
            "SELECT request_sha256, answer FROM idempotency_keys WHERE account_id = $1 AND key = $2",
            self.account.uuid(),
            self.key.0
        );
        let row = row.fetch_optional(unit.connection()).await.failure("looking an idempotency key up")?;
        let Some(row) = row else {
            return Ok(None);
        };
        if row.request_sha256 != self.request_sha256 {
            let detail = "This Idempotency-Key was used for another request.";
            return Err(Rejection::new(ProblemCode::IdempotencyKeyReused, detail).into());
        }
        Ok(Some(serde_json::from_value(row.answer).failure("reading a first response")?))
    }

    /// Stores the response, in the unit of what it reports.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn store(&self, unit: &mut UnitOfWork, response: &impl Serialize) -> Result<(), ApiError> {
        let response = serde_json::to_value(response).failure("serialising a response")?;
        if planted::has(Bug::KeysInMemory) {
            planted::remember(Bug::KeysInMemory, &self.key.0, &response);
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO idempotency_keys (account_id, key, request_sha256, answer) VALUES ($1, $2, $3, $4)",
            self.account.uuid(),
            self.key.0,
            &self.request_sha256,
            response
        )
        .execute(unit.connection())
        .await
        .failure("storing a response")?;
        Ok(())
    }
}
