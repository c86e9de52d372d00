//! What orders are waiting in, for metrics.

use common::{
    domain::OrderStatus,
    failure::{Failure, FailureContext as _},
    service::{InStatus, Standing},
};
use sqlx::PgConnection;

/// How many orders are in each status before `SHIPPED` and since when, and how many price calculations ended without a
/// price.
///
/// # Errors
///
/// If the database fails.
pub async fn standing(connection: &mut PgConnection) -> Result<Standing, Failure> {
    // `SHIPPED` is the MES's last status: the orders in it wait for nothing here, and only become more.
    let statuses = sqlx::query_as!(
        InStatus,
        r#"SELECT orders.status AS "status: OrderStatus", count(*) AS "orders!", min(history.at) AS "oldest!",
                  0::bigint AS "stuck!"
           FROM orders JOIN order_history AS history ON history.order_id = orders.id AND history.status = orders.status
           WHERE orders.status IN ('SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED', 'MANUFACTURING_STARTED',
                                   'MANUFACTURING_COMPLETED', 'PACKAGING')
           GROUP BY orders.status"#
    );
    let statuses = statuses.fetch_all(&mut *connection).await.failure("counting waiting orders")?;
    let failed = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(price_failures), 0) AS "failed!" FROM orders WHERE price_failures > 0"#
    );
    let failed = failed.fetch_one(connection).await.failure("counting failed prices")?;
    Ok(Standing { statuses, knows_stuck: false, failed_prices: Some(failed) })
}
