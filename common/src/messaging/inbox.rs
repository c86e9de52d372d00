//! The inbox: the ids of messages that have taken effect.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::{
    domain::MessageId,
    failure::{Failure, FailureContext as _},
    planted::{self, Bug},
};

/// Adds messages, in the transaction of their effects. Returns those that haven't taken effect before.
pub(super) async fn insert(
    transaction: &mut PgConnection,
    messages: impl Iterator<Item = MessageId>,
) -> Result<HashSet<MessageId>, Failure> {
    let mut ids: Vec<_> = messages.map(MessageId::uuid).collect();
    // In one sequence: two transactions with the same messages can't wait for each other.
    ids.sort_unstable();
    let new = sqlx::query_scalar!(
        r#"INSERT INTO inbox (message_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING
           RETURNING message_id AS "message_id: MessageId""#,
        &ids
    );
    let new = new.fetch_all(transaction).await.failure("adding messages to the inbox")?;
    if planted::has(Bug::NoInbox) {
        return Ok(ids.into_iter().map(MessageId::from).collect());
    }
    Ok(new.into_iter().collect())
}
