//! The table of messages that wait for the broker.

use sqlx::PgConnection;

use super::{message_type::MessageType, schema};
use crate::{
    domain::{MessageId, OrderFacts, OrderId},
    failure::{Failure, FailureContext as _},
    telemetry::TraceContext,
};

/// Adds a message, in the transaction of the change that it reports and with the current trace.
///
/// # Errors
///
/// If the database fails.
pub(crate) async fn insert(
    transaction: &mut PgConnection,
    message_type: MessageType,
    facts: &OrderFacts,
) -> Result<(), Failure> {
    let trace = TraceContext::current();
    sqlx::query!(
        "INSERT INTO outbox (message_id, type, order_id, body, traceparent, tracestate)
         VALUES ($1, $2, $3, $4, $5, $6)",
        MessageId::new().uuid(),
        message_type.name(),
        facts.order.id.as_str(),
        schema::write(facts)?,
        trace.traceparent,
        trace.tracestate
    )
    .execute(transaction)
    .await
    .failure("adding a message to the outbox")?;
    Ok(())
}

/// A message that waits.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Waiting {
    pub(crate) seq: i64,
    pub(crate) message_id: MessageId,
    pub(crate) message_type: String,
    pub(crate) order_id: OrderId,
    /// JSON, which is only passed on.
    pub(crate) body: String,
    traceparent: Option<String>,
    tracestate: Option<String>,
}

impl Waiting {
    pub(crate) fn trace(&self) -> TraceContext {
        TraceContext { traceparent: self.traceparent.clone(), tracestate: self.tracestate.clone() }
    }
}

/// At most `limit` messages that no other relay has locked, the longest-waiting first, locked until the transaction ends.
/// Reads "not yet published" and not "after the last one": sequence order is not commit order, and a cursor would leave late
/// commits behind.
pub(crate) async fn claim(transaction: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, Failure> {
    sqlx::query_as!(
        Waiting,
        r#"SELECT seq, message_id AS "message_id: MessageId", type AS message_type, order_id AS "order_id: OrderId", body::text AS "body!", traceparent, tracestate
           FROM outbox ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        limit
    )
    .fetch_all(transaction)
    .await
    .failure("reading the outbox")
}

/// The longest-waiting message, whether a relay has it locked or not.
pub(crate) async fn first(connection: &mut PgConnection) -> Result<Option<Waiting>, Failure> {
    sqlx::query_as::<_, Waiting>(
        "SELECT seq, message_id, type AS message_type, order_id, body::text, traceparent, tracestate
         FROM outbox ORDER BY seq LIMIT 1",
    )
    .fetch_optional(connection)
    .await
    .failure("reading the outbox")
}

/// Deletes messages that the broker has confirmed.
pub(crate) async fn delete(transaction: &mut PgConnection, published: &[i64]) -> Result<(), Failure> {
    sqlx::query!("DELETE FROM outbox WHERE seq = ANY ($1)", published)
        .execute(transaction)
        .await
        .failure("clearing the outbox")?;
    Ok(())
}
