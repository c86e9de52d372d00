//! The inbox: the numbers of messages that have taken effect.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::failure::{Failure, FailureContext as _};

/// Notes messages' numbers in the transaction of their effects. Gives those that haven't taken effect before.
pub(super) async fn note(
    transaction: &mut PgConnection,
    message_ids: impl Iterator<Item = Uuid>,
) -> Result<HashSet<Uuid>, Failure> {
    let mut message_ids: Vec<_> = message_ids.collect();
    // Whoever notes the same ones at the same time waits, and neither for the other.
    message_ids.sort_unstable();
    let noted = sqlx::query_scalar!(
        "INSERT INTO inbox (message_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING message_id",
        &message_ids
    );
    Ok(noted.fetch_all(transaction).await.failure("noting messages")?.into_iter().collect())
}
