//! What orders are waiting in, for metrics.

use common::{
    domain::OrderStatus,
    failure::{Failure, FailureContext as _},
    service::{InStatus, Standing},
};
use sqlx::PgConnection;

/// How many open orders are in each status, since when, and how many of them were reported as stuck.
///
/// # Errors
///
/// If the database fails.
pub async fn standing(connection: &mut PgConnection) -> Result<Standing, Failure> {
    // An order that waits for its customer may be abandoned, and is never stuck.
    // Both parts are read from the index of orders by their time in a status, without the orders themselves.
    let statuses = sqlx::query_as!(
        InStatus,
        r#"SELECT status AS "status: OrderStatus", count(*) AS "orders!", min(status_since) AS "oldest!",
                  coalesce((SELECT count(*) FROM orders AS reported
                            WHERE waiting.status NOT IN ('INITIATED', 'FILE_UPLOADED')
                              AND reported.status = waiting.status AND reported.status <> 'CLOSED'
                              AND coalesce(reported.reported_status = reported.status, false)), 0) AS "stuck!"
           FROM orders AS waiting WHERE status <> 'CLOSED' GROUP BY status"#
    );
    let statuses = statuses.fetch_all(connection).await.failure("counting waiting orders")?;
    Ok(Standing { statuses, knows_stuck: true, failed_prices: None })
}
