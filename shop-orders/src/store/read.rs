//! Reading orders and their history.

use common::{
    domain::{
        CustomerId, Material, Measured, ModelFormat, ModelUnit, Notice, Order, OrderFacts, OrderId, OrderStatus,
        PartnerId,
    },
    failure::{ErrorType, Failure, FailureContext as _},
    order_history::history,
    page::Cursor,
};
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::row::{Row, StoredOrder, select_orders};
use crate::details::OrderDetails;

/// Finds an order.
///
/// # Errors
///
/// If the database fails.
pub async fn find(database: impl PgExecutor<'_>, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select_orders!("WHERE id = $1", id.as_str());
    row.fetch_optional(database).await.failure("looking an order up")?.map(StoredOrder::try_from).transpose()
}

/// Finds an order and locks it until the transaction ends.
///
/// # Errors
///
/// If the database fails.
pub async fn lock(transaction: &mut PgConnection, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select_orders!("WHERE id = $1 FOR UPDATE", id.as_str());
    row.fetch_optional(transaction).await.failure("looking an order up")?.map(StoredOrder::try_from).transpose()
}

/// Which orders a list has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only those in this status.
    pub status: Option<OrderStatus>,
    /// Only this customer's.
    pub customer: Option<CustomerId>,
}

/// Orders, newest first, from `after` on: one more than `limit`, which shows whether there are more.
///
/// # Errors
///
/// If the database fails.
pub async fn list(
    database: impl PgExecutor<'_>,
    filter: Filter,
    limit: i64,
    after: Option<&Cursor>,
) -> Result<Vec<Order>, Failure> {
    let (after_time, after_id) = after.map(|cursor| (cursor.at, cursor.id.as_str())).unzip();
    let rows = select_orders!(
        "WHERE ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR customer_id = $2)
           AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::text))
         ORDER BY created_at DESC, id DESC LIMIT $5",
        filter.status.map(OrderStatus::name),
        filter.customer.map(CustomerId::uuid),
        after_time,
        after_id,
        limit + 1,
    );
    let rows = rows.fetch_all(database).await.failure("listing orders")?;
    rows.into_iter().map(|row| Ok(StoredOrder::try_from(row)?.order)).collect()
}

/// An order with its history.
///
/// # Errors
///
/// If the database fails.
pub async fn details(database: &mut PgConnection, found: StoredOrder) -> Result<OrderDetails, Failure> {
    let history = history(database, &found.order).await?;
    Ok(OrderDetails { order: found.order, price_failure: found.price_failure, history })
}

/// What a message says of an order that has a model.
///
/// # Errors
///
/// If the database fails, or the order has no model.
pub async fn facts(
    transaction: &mut PgConnection,
    order: Order,
    model_key: Option<String>,
) -> Result<OrderFacts, Failure> {
    let model_key = model_key.ok_or(Failure::bare(ErrorType::ModelMissing, "an order without a model"))?;
    let history = history(transaction, &order).await?;
    Ok(OrderFacts { order, model_key, history, price_failure: None })
}
