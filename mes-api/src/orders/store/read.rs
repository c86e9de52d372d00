//! Reading orders. An order is locked before it is changed ([`lock`]), so that a decision about it holds until the commit.

use common::{
    domain::{
        CustomerId, Material, Measured, ModelFormat, ModelUnit, Notice, OperatorId, OrderId, OrderStatus, PartnerId,
    },
    failure::{Failure, FailureContext as _},
    page::Cursor,
};
use sqlx::{PgConnection, types::Json};

use super::row::{Row, select_orders};
use crate::orders::{
    order::{MesOrder, StoredOrder},
    price_status::PriceStatus,
};

/// The order with this number.
///
/// # Errors
///
/// If the database fails.
pub async fn find(connection: &mut PgConnection, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select_orders!("FROM orders WHERE id = $1", id.as_str());
    let row = row.fetch_optional(connection).await.failure("reading an order")?;
    row.map(StoredOrder::try_from).transpose()
}

/// The order with this number, locked until the transaction ends.
///
/// # Errors
///
/// If the database fails.
pub async fn lock(transaction: &mut PgConnection, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select_orders!("FROM orders WHERE id = $1 FOR UPDATE", id.as_str());
    let row = row.fetch_optional(transaction).await.failure("locking an order")?;
    row.map(StoredOrder::try_from).transpose()
}

/// At most `limit` orders, newest first, after `after`.
///
/// # Errors
///
/// If the database fails.
pub async fn list(
    connection: &mut PgConnection,
    status: Option<OrderStatus>,
    limit: i64,
    after: Option<Cursor>,
) -> Result<Vec<MesOrder>, Failure> {
    let statuses = status.map_or(OrderStatus::ALL.to_vec(), |status| vec![status]);
    let statuses: Vec<_> = statuses.into_iter().map(OrderStatus::name).collect();
    let (at, id) = after.map(|after| (after.at, after.id)).unzip();
    // Status by status, each along the index, and the newest of all these: with a filter or without, no plan for this reads
    // more than a page of every status, whatever the statistics are.
    let rows = select_orders!(
        "FROM unnest($1::text[]) AS wanted (wanted_status) CROSS JOIN LATERAL (
             SELECT * FROM orders
             WHERE status = wanted_status AND (created_at, id) < (coalesce($2, 'infinity'::timestamptz), coalesce($3, ''))
             ORDER BY created_at DESC, id DESC LIMIT $4
         ) AS newest
         ORDER BY created_at DESC, id DESC LIMIT $4",
        &statuses as &[&str],
        at,
        id.as_ref().map(OrderId::as_str),
        limit
    );
    let rows = rows.fetch_all(connection).await.failure("listing orders")?;
    rows.into_iter().map(|row| StoredOrder::try_from(row).map(|stored| stored.order)).collect()
}
