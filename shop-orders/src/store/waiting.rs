//! Orders that wait for too long: in their status, or since they were submitted.

use common::{
    domain::{CustomerId, Material, Measured, ModelFormat, ModelUnit, Notice, OrderId, OrderStatus, Owner, PartnerId},
    failure::{Failure, FailureContext as _},
    page::Cursor,
    telemetry::Subject,
    unit_of_work::Recorded,
};
use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;

use super::{
    read::Filter,
    row::{Row, StoredOrder, select_orders},
};

/// A status, and the time before which an order in it is stuck.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The status.
    pub status: OrderStatus,
    /// An order that got the status before this is stuck.
    pub since: OffsetDateTime,
}

/// Orders that have been in their status for too long, the longest-waiting first, from `after` on (its time is the one
/// since when that order is in its status): one more than `limit`.
///
/// # Errors
///
/// If the database fails.
pub async fn stuck(
    database: impl PgExecutor<'_>,
    deadlines: &[Deadline],
    filter: Filter,
    limit: i64,
    after: Option<&Cursor>,
) -> Result<Vec<StoredOrder>, Failure> {
    let (statuses, since) = arrays(deadlines);
    let (after_time, after_id) = after.map(|cursor| (cursor.at, cursor.id.as_str())).unzip();
    // The index has those that were reported beside those that weren't: each part is read from its own beginning. Whole
    // orders are read only of those that the page has.
    let rows = select_orders!(
        "WHERE id IN (
             SELECT waiting.id FROM unnest($1::text[], $2::timestamptz[]) AS deadlines (status, since)
             CROSS JOIN (VALUES (false), (true)) AS parts (reported)
             CROSS JOIN LATERAL (
                 SELECT status_since, id FROM orders
                 WHERE status = deadlines.status AND status <> 'CLOSED' AND status_since < deadlines.since
                   AND coalesce(reported_status = status, false) = parts.reported
                   AND ($3::text IS NULL OR status = $3) AND ($4::uuid IS NULL OR customer_id = $4)
                   AND ($5::timestamptz IS NULL OR (status_since, id) > ($5, $6::text))
                 ORDER BY status_since, id LIMIT $7
             ) AS waiting
             ORDER BY waiting.status_since, waiting.id LIMIT $7
         ) ORDER BY status_since, id",
        &statuses as &[&str],
        &since,
        filter.status.map(OrderStatus::name),
        filter.customer.map(CustomerId::uuid),
        after_time,
        after_id,
        limit + 1,
    );
    let rows = rows.fetch_all(database).await.failure("listing stuck orders")?;
    rows.into_iter().map(StoredOrder::try_from).collect()
}

/// Open orders that were submitted before `since`, the longest-waiting first, from `after` on (its time is the one when
/// that order was submitted): one more than `limit`.
///
/// # Errors
///
/// If the database fails.
pub async fn overdue(
    database: impl PgExecutor<'_>,
    since: OffsetDateTime,
    filter: Filter,
    limit: i64,
    after: Option<&Cursor>,
) -> Result<Vec<StoredOrder>, Failure> {
    let (after_time, after_id) = after.map(|cursor| (cursor.at, cursor.id.as_str())).unzip();
    let rows = select_orders!(
        "WHERE status <> 'CLOSED' AND submitted_at < $1
           AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR customer_id = $3)
           AND ($4::timestamptz IS NULL OR (submitted_at, id) > ($4, $5::text))
         ORDER BY submitted_at, id LIMIT $6",
        since,
        filter.status.map(OrderStatus::name),
        filter.customer.map(CustomerId::uuid),
        after_time,
        after_id,
        limit + 1,
    );
    let rows = rows.fetch_all(database).await.failure("listing overdue orders")?;
    rows.into_iter().map(StoredOrder::try_from).collect()
}

/// An order that has been waiting for too long and wasn't reported for it before.
#[derive(Debug)]
pub struct LateOrder {
    /// The order.
    pub id: OrderId,
    /// Its status.
    pub status: OrderStatus,
    /// Since when it has been waiting.
    pub since: OffsetDateTime,
    customer: Option<CustomerId>,
    partner: Option<PartnerId>,
}

impl LateOrder {
    /// The order and its owner, for records.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Owner::from_columns(self.customer, self.partner)
            .map_or_else(|| Subject::just_order(&self.id), |owner| Subject::order(&self.id, owner))
    }
}

/// Orders that have been in their status for too long and weren't reported in it, locked until the transaction ends: at most
/// `limit` of each status. Those that another replica has locked are left out.
///
/// # Errors
///
/// If the database fails.
pub async fn lock_standing(
    transaction: &mut PgConnection,
    deadlines: &[Deadline],
    limit: i64,
) -> Result<Vec<LateOrder>, Failure> {
    let (statuses, since) = arrays(deadlines);
    sqlx::query_as!(
        LateOrder,
        r#"SELECT late.id AS "id: OrderId", late.status AS "status: OrderStatus", late.status_since AS since,
                  late.customer_id AS "customer: CustomerId", late.partner_id AS "partner: PartnerId"
           FROM unnest($1::text[], $2::timestamptz[]) AS deadlines (status, since)
           CROSS JOIN LATERAL (
               SELECT id, status, status_since, customer_id, partner_id FROM orders
               WHERE status = deadlines.status AND status <> 'CLOSED' AND status_since < deadlines.since
                 AND coalesce(reported_status = status, false) = false
               ORDER BY status_since, id LIMIT $3 FOR UPDATE SKIP LOCKED
           ) AS late"#,
        &statuses as &[&str],
        &since,
        limit
    )
    .fetch_all(transaction)
    .await
    .failure("looking for orders that stand still")
}

/// The same for open orders that were submitted before `since`: at most `limit` of them.
///
/// # Errors
///
/// If the database fails.
pub async fn lock_overdue(
    transaction: &mut PgConnection,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<LateOrder>, Failure> {
    sqlx::query_as!(
        LateOrder,
        r#"SELECT id AS "id: OrderId", status AS "status: OrderStatus", submitted_at AS "since!",
                  customer_id AS "customer: CustomerId", partner_id AS "partner: PartnerId"
           FROM orders
           WHERE status <> 'CLOSED' AND submitted_at < $1 AND overdue_reported_at IS NULL
           ORDER BY submitted_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"#,
        since,
        limit
    )
    .fetch_all(transaction)
    .await
    .failure("looking for overdue orders")
}

/// Marks orders as reported in their status.
///
/// # Errors
///
/// If the database fails.
pub async fn mark_standing(mut recorded: Recorded<'_>, orders: &[LateOrder]) -> Result<(), Failure> {
    sqlx::query!("UPDATE orders SET reported_status = status WHERE id = ANY ($1)", &ids(orders) as &[&str])
        .execute(recorded.connection())
        .await
        .failure("marking orders that stand still")?;
    Ok(())
}

/// Marks orders as reported as overdue.
///
/// # Errors
///
/// If the database fails.
pub async fn mark_overdue(mut recorded: Recorded<'_>, orders: &[LateOrder]) -> Result<(), Failure> {
    sqlx::query!("UPDATE orders SET overdue_reported_at = now() WHERE id = ANY ($1)", &ids(orders) as &[&str])
        .execute(recorded.connection())
        .await
        .failure("marking overdue orders")?;
    Ok(())
}

fn ids(orders: &[LateOrder]) -> Vec<&str> {
    orders.iter().map(|order| order.id.as_str()).collect()
}

fn arrays(deadlines: &[Deadline]) -> (Vec<&'static str>, Vec<OffsetDateTime>) {
    deadlines.iter().map(|deadline| (deadline.status.name(), deadline.since)).unzip()
}
