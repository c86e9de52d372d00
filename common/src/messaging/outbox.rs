//! The outbox: messages that stand or fall with the change that they report.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{MessageType, schema};
use crate::{
    domain::OrderFacts,
    failure::{Failure, FailureContext as _},
    telemetry::TraceContext,
};

/// Writes a message into the outbox, in the transaction of the change that it reports and with the trace of the request
/// or message that made the change.
///
/// # Errors
///
/// If the database fails.
pub async fn write(
    transaction: &mut PgConnection,
    message_type: MessageType,
    facts: &OrderFacts,
) -> Result<(), Failure> {
    let trace = TraceContext::current();
    sqlx::query!(
        "INSERT INTO outbox (message_id, type, order_id, body, traceparent, tracestate)
         VALUES ($1, $2, $3, $4, $5, $6)",
        Uuid::now_v7(),
        message_type.name(),
        facts.order.id.as_str(),
        schema::write(facts)?,
        trace.traceparent,
        trace.tracestate
    )
    .execute(transaction)
    .await
    .failure("writing a message into the outbox")?;
    Ok(())
}

/// A message that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) seq: i64,
    pub(super) message_id: Uuid,
    pub(super) message_type: String,
    pub(super) order_id: String,
    pub(super) body: serde_json::Value,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

impl Waiting {
    pub(super) fn trace(&self) -> TraceContext {
        TraceContext { traceparent: self.traceparent.clone(), tracestate: self.tracestate.clone() }
    }
}

/// The longest-waiting messages that no other relay is at, locked until the transaction ends. Reads «not yet published»
/// rather than «after the last one»: sequence order is not commit order, and a cursor would leave late committers behind.
pub(super) async fn claim(transaction: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, Failure> {
    sqlx::query_as!(
        Waiting,
        r#"SELECT seq, message_id, type AS message_type, order_id, body, traceparent, tracestate
           FROM outbox ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        limit
    )
    .fetch_all(transaction)
    .await
    .failure("reading the outbox")
}

/// Forgets messages that the broker has.
pub(super) async fn delete(transaction: &mut PgConnection, published: &[i64]) -> Result<(), Failure> {
    sqlx::query!("DELETE FROM outbox WHERE seq = ANY ($1)", published)
        .execute(transaction)
        .await
        .failure("clearing the outbox")?;
    Ok(())
}
