//! Reading the history of an order, whose table is the same in both databases.

use catalogue::Service;
use sqlx::PgConnection;

use crate::{
    domain::{Actor, Change, Order, OrderStatus},
    failure::{Failure, FailureContext as _},
};

/// The history of an order up to its status, the oldest change first. The order may have gone on since it was read.
///
/// # Errors
///
/// If the database fails.
pub async fn history(connection: &mut PgConnection, order: &Order) -> Result<Vec<Change>, Failure> {
    let rows = sqlx::query_as!(
        Change,
        r#"SELECT status AS "status: OrderStatus", at, actor AS "actor: Actor", service AS "service: Service"
           FROM order_history WHERE order_id = $1"#,
        order.id.as_str()
    );
    let mut changes = rows.fetch_all(connection).await.failure("reading an order's history")?;
    changes.retain(|change| change.status <= order.status);
    // Statuses are linear, while two of them may have been set in the same instant.
    changes.sort_unstable_by_key(|change| change.status);
    Ok(changes)
}
