//! The inbox: the numbers of messages that have taken effect.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::fault::{Fault, FaultContext as _};

/// Notes a message's number in the transaction of its effect. False if it has taken effect before.
pub(super) async fn note(transaction: &mut PgConnection, message_id: Uuid) -> Result<bool, Fault> {
    let noted = sqlx::query!("INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING", message_id);
    Ok(noted.execute(transaction).await.fault("noting a message")?.rows_affected() > 0)
}
