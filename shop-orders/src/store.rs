//! The queries on orders and their history.

use catalogue::Service;
use std::collections::HashMap;

use common::{
    Failure, FailureContext as _,
    domain::{
        Actor, Change, Material, Model, ModelFormat, NewOrder, Order, OrderFacts, OrderId, OrderStatus, Owner, Price,
    },
    failure::ErrorType,
    http::Cursor,
};
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::OrderDetails;

/// An order as the database has it.
#[derive(Clone, Debug)]
pub struct StoredOrder {
    /// What everybody may see.
    pub order: Order,
    /// Where its model lies.
    pub model_key: Option<String>,
    /// Why it has no price.
    pub price_failure: Option<String>,
    /// Since when it is in its status.
    pub status_since: OffsetDateTime,
    /// When it was submitted, if it was.
    pub submitted_at: Option<OffsetDateTime>,
}

/// A row of `orders`.
#[derive(Debug)]
struct Row {
    id: OrderId,
    status: OrderStatus,
    customer_id: Option<Uuid>,
    partner_id: Option<Uuid>,
    material: Material,
    quantity: i32,
    comment: Option<String>,
    model_filename: Option<String>,
    model_format: Option<ModelFormat>,
    model_bytes: Option<i64>,
    model_sha256: Option<String>,
    model_key: Option<String>,
    price_amount_minor: Option<i64>,
    price_currency: Option<String>,
    price_failure: Option<String>,
    status_since: OffsetDateTime,
    submitted_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for StoredOrder {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        // The table's constraints rule out what isn't whole.
        let owner = row.customer_id.map(Owner::Customer).or(row.partner_id.map(Owner::Partner));
        let owner = owner.ok_or(Failure::bare(ErrorType::DatabaseError, "an order without an owner"))?;
        let model = match (row.model_filename, row.model_format, row.model_bytes, row.model_sha256) {
            (Some(filename), Some(format), Some(bytes), Some(sha256)) => {
                Some(Model { filename, format, bytes, sha256 })
            }
            _ => None,
        };
        let price = row.price_amount_minor.zip(row.price_currency);
        Ok(Self {
            order: Order {
                id: row.id,
                status: row.status,
                owner,
                material: row.material,
                quantity: row.quantity,
                comment: row.comment,
                model,
                price: price.map(|(amount_minor, currency)| Price { amount_minor, currency }),
                created_at: row.created_at,
                updated_at: row.updated_at,
            },
            model_key: row.model_key,
            price_failure: row.price_failure,
            status_since: row.status_since,
            submitted_at: row.submitted_at,
        })
    }
}

/// `query_as!` with the columns of a whole order in the place of `{columns}`; the macro wants one literal.
macro_rules! select_orders {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: OrderId", status AS "status: OrderStatus", customer_id, partner_id,
                      material AS "material: Material", quantity, comment, model_filename,
                      model_format AS "model_format: ModelFormat", model_bytes, model_sha256, model_key,
                      price_amount_minor, price_currency, price_failure, status_since, submitted_at, created_at,
                      updated_at
               FROM orders "# + $rest
            $(, $argument)*
        )
    };
}

/// What a customer's order is created from.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The customer's account.
    pub customer: Uuid,
    /// What was asked for.
    pub new: NewOrder,
    /// Who asked.
    pub actor: Actor,
    /// The number that the record was made with, in the place of the order's own.
    pub placeholder: OrderId,
    /// The record's number.
    pub event_id: Uuid,
    /// The record's line, if there is one.
    pub line: Option<String>,
}

/// Creates customers' orders, and keeps the records of that. Gives the orders in the same sequence.
///
/// # Errors
///
/// If the database fails.
pub async fn create(
    database: impl PgExecutor<'_>,
    service: Service,
    creations: &[Creation],
) -> Result<Vec<Order>, Failure> {
    let customers: Vec<_> = creations.iter().map(|creation| creation.customer).collect();
    let materials: Vec<_> = creations.iter().map(|creation| creation.new.material).collect();
    let quantities: Vec<_> = creations.iter().map(|creation| creation.new.quantity).collect();
    let comments: Vec<_> = creations.iter().map(|creation| creation.new.comment.as_deref()).collect();
    let actors: Vec<_> = creations.iter().map(|creation| creation.actor.to_string()).collect();
    let placeholders: Vec<_> = creations.iter().map(|creation| creation.placeholder.as_str()).collect();
    let event_ids: Vec<_> = creations.iter().map(|creation| creation.event_id).collect();
    let lines: Vec<_> = creations.iter().map(|creation| creation.line.as_deref()).collect();
    // Orders, history and records in one statement: one way to the database and back.
    let rows = sqlx::query!(
        r#"WITH new AS MATERIALIZED (
               SELECT 'A-' || nextval('order_number') AS id, asked.*
               FROM unnest($2::uuid[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[])
                    AS asked (customer_id, material, quantity, comment, actor, placeholder, event_id, line)
           ), created AS (
               INSERT INTO orders (id, status, status_since, customer_id, material, quantity, comment, created_at, updated_at)
               SELECT id, 'INITIATED', now(), customer_id, material, quantity, comment, now(), now() FROM new
           ), noted AS (
               INSERT INTO order_history (order_id, status, at, actor, service, event_id)
               SELECT id, 'INITIATED', now(), actor, $1, event_id FROM new
           ), kept AS (
               INSERT INTO journal (event_id, line)
               SELECT event_id, replace(line, placeholder, id) FROM new WHERE line IS NOT NULL
           )
           SELECT event_id AS "event_id!", id AS "id!: OrderId", now() AS "now!" FROM new"#,
        service.name(),
        &customers,
        &materials as &[Material],
        &quantities,
        &comments as &[Option<&str>],
        &actors,
        &placeholders as &[&str],
        &event_ids,
        &lines as &[Option<&str>]
    );
    let rows = rows.fetch_all(database).await.failure("creating orders")?;
    let mut created: HashMap<_, _> = rows.into_iter().map(|row| (row.event_id, (row.id, row.now))).collect();
    let orders = creations.iter().map(|creation| {
        let (id, now) = created.remove(&creation.event_id)?;
        Some(Order {
            id,
            status: OrderStatus::Initiated,
            owner: Owner::Customer(creation.customer),
            material: creation.new.material,
            quantity: creation.new.quantity,
            comment: creation.new.comment.clone(),
            model: None,
            price: None,
            created_at: now,
            updated_at: now,
        })
    });
    orders.collect::<Option<_>>().ok_or(Failure::bare(ErrorType::Internal, "an order was created and is not there"))
}

/// Finds an order.
///
/// # Errors
///
/// If the database fails.
pub async fn find(database: impl PgExecutor<'_>, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select_orders!("WHERE id = $1", id.as_str());
    row.fetch_optional(database).await.failure("looking an order up")?.map(StoredOrder::try_from).transpose()
}

/// Finds an order and keeps everybody else from changing it until the transaction ends.
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
    pub customer: Option<Uuid>,
}

/// Orders, newest first, from `after` on: one more than `limit`, which tells whether there are more.
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
        filter.customer,
        after_time,
        after_id,
        limit + 1,
    );
    let rows = rows.fetch_all(database).await.failure("listing orders")?;
    rows.into_iter().map(|row| Ok(StoredOrder::try_from(row)?.order)).collect()
}

/// The history of an order, the oldest change first.
///
/// # Errors
///
/// If the database fails.
pub async fn history(database: impl PgExecutor<'_>, id: &OrderId) -> Result<Vec<Change>, Failure> {
    let mut changes = sqlx::query_as!(
        Change,
        r#"SELECT status AS "status: OrderStatus", at, actor, service AS "service: Service"
           FROM order_history WHERE order_id = $1"#,
        id.as_str()
    )
    .fetch_all(database)
    .await
    .failure("reading an order's history")?;
    changes.sort_by_key(|change| change.status);
    Ok(changes)
}

/// An order with all that is known about it.
///
/// # Errors
///
/// If the database fails.
pub async fn details(database: &mut PgConnection, found: StoredOrder) -> Result<OrderDetails, Failure> {
    let history = history(database, &found.order.id).await?;
    Ok(OrderDetails { order: found.order, price_failure: found.price_failure, history })
}

/// Takes an order one status on and writes its history, with the number of the change's record. Whether it may is decided
/// before.
///
/// # Errors
///
/// If the database fails.
pub async fn advance(
    transaction: &mut PgConnection,
    order: &mut Order,
    change: &Change,
    event_id: Uuid,
) -> Result<(), Failure> {
    let updated_at = sqlx::query_scalar!(
        "WITH noted AS (INSERT INTO order_history (order_id, status, at, actor, service, event_id)
                        VALUES ($1, $2, $3, $4, $5, $6))
         UPDATE orders SET status = $2, status_since = $3, updated_at = greatest(now(), $3),
                           submitted_at = CASE WHEN $2 = 'SUBMITTED' THEN $3 ELSE submitted_at END
         WHERE id = $1 RETURNING updated_at",
        order.id.as_str(),
        change.status.name(),
        change.at,
        change.actor,
        change.service.name(),
        event_id
    )
    .fetch_one(transaction)
    .await
    .failure("changing an order's status")?;
    order.status = change.status;
    order.updated_at = updated_at;
    Ok(())
}

/// Gives an order its model, in the place of the one before.
///
/// # Errors
///
/// If the database fails.
pub async fn attach_model(
    transaction: &mut PgConnection,
    order: &mut Order,
    model: Model,
    key: &str,
) -> Result<(), Failure> {
    let updated_at = sqlx::query_scalar!(
        "UPDATE orders SET model_filename = $2, model_format = $3, model_bytes = $4, model_sha256 = $5, model_key = $6,
                           updated_at = now()
         WHERE id = $1 RETURNING updated_at",
        order.id.as_str(),
        model.filename,
        model.format as ModelFormat,
        model.bytes,
        model.sha256,
        key
    )
    .fetch_one(transaction)
    .await
    .failure("attaching a model")?;
    order.model = Some(model);
    order.updated_at = updated_at;
    Ok(())
}

/// What a message tells of an order that has a model.
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
    let history = history(transaction, &order.id).await?;
    Ok(OrderFacts { order, model_key, history, price_failure: None })
}

/// Takes over an order that a partner has placed in the MES, as it was when it was submitted. Does nothing if it is
/// known already.
///
/// # Errors
///
/// If the database fails.
pub async fn take_over(transaction: &mut PgConnection, facts: &OrderFacts) -> Result<(), Failure> {
    let OrderFacts { order, model_key, history, .. } = facts;
    let until_submitted = || history.iter().filter(|change| change.status <= OrderStatus::Submitted);
    let submitted = until_submitted().map(|change| change.at).max().unwrap_or(order.created_at);
    let model = order.model.as_ref();
    let inserted = sqlx::query!(
        "INSERT INTO orders (id, status, status_since, submitted_at, partner_id, material, quantity, comment, model_filename,
                             model_format, model_bytes, model_sha256, model_key, created_at, updated_at)
         VALUES ($1, 'SUBMITTED', $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())
         ON CONFLICT (id) DO NOTHING",
        order.id.as_str(),
        submitted,
        order.owner.partner(),
        order.material as Material,
        order.quantity,
        order.comment,
        model.map(|model| model.filename.as_str()),
        model.map(|model| model.format) as Option<ModelFormat>,
        model.map(|model| model.bytes),
        model.map(|model| model.sha256.as_str()),
        model.map(|_| model_key.as_str()),
        order.created_at
    );
    if inserted.execute(&mut *transaction).await.failure("taking an order over")?.rows_affected() == 0 {
        return Ok(());
    }
    for change in until_submitted() {
        sqlx::query!(
            "INSERT INTO order_history (order_id, status, at, actor, service) VALUES ($1, $2, $3, $4, $5)",
            order.id.as_str(),
            change.status.name(),
            change.at,
            change.actor,
            change.service.name()
        )
        .execute(&mut *transaction)
        .await
        .failure("taking an order's history over")?;
    }
    Ok(())
}

/// Notes what the MES says about the price: the price, or why there is none. A price stays once it is there.
///
/// # Errors
///
/// If the database fails.
pub async fn note_price(
    transaction: &mut PgConnection,
    id: &OrderId,
    price: Option<&Price>,
    failure: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query!(
        "UPDATE orders SET price_amount_minor = $2, price_currency = $3, price_failure = $4, updated_at = now()
         WHERE id = $1 AND price_amount_minor IS NULL AND ($2::bigint IS NOT NULL OR price_failure IS DISTINCT FROM $4)",
        id.as_str(),
        price.map(|price| price.amount_minor),
        price.map(|price| price.currency.as_str()),
        failure.filter(|_| price.is_none())
    )
    .execute(transaction)
    .await
    .failure("noting a price")?;
    Ok(())
}

/// A status, and since when at the latest an order may be in it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The status.
    pub status: OrderStatus,
    /// Whoever is in it for longer stands still.
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
        filter.customer,
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
        filter.customer,
        after_time,
        after_id,
        limit + 1,
    );
    let rows = rows.fetch_all(database).await.failure("listing overdue orders")?;
    rows.into_iter().map(StoredOrder::try_from).collect()
}

/// An order that takes too long and wasn't reported for it before.
#[derive(Debug)]
pub struct Late {
    /// The order.
    pub id: OrderId,
    /// Where it is.
    pub status: OrderStatus,
    /// Since when it has been waiting.
    pub since: OffsetDateTime,
    /// The customer, if it is a customer's.
    pub customer: Option<Uuid>,
    /// The partner, if it is a partner's.
    pub partner: Option<Uuid>,
}

/// Notes orders that have been in their status for too long as reported, and gives those that weren't before, however
/// many replicas do so at the same time: at most `limit` of each status.
///
/// # Errors
///
/// If the database fails.
pub async fn report_standing(
    database: impl PgExecutor<'_>,
    deadlines: &[Deadline],
    limit: i64,
) -> Result<Vec<Late>, Failure> {
    let (statuses, since) = arrays(deadlines);
    sqlx::query_as!(
        Late,
        r#"WITH waiting AS (
               SELECT waiting.id FROM unnest($1::text[], $2::timestamptz[]) AS deadlines (status, since)
               CROSS JOIN LATERAL (
                   SELECT id FROM orders
                   WHERE status = deadlines.status AND status <> 'CLOSED' AND status_since < deadlines.since
                     AND coalesce(reported_status = status, false) = false
                   ORDER BY status_since, id LIMIT $3 FOR UPDATE SKIP LOCKED
               ) AS waiting
           )
           UPDATE orders SET reported_status = status FROM waiting WHERE orders.id = waiting.id
           RETURNING orders.id AS "id: OrderId", status AS "status: OrderStatus", status_since AS since,
                     customer_id AS customer, partner_id AS partner"#,
        &statuses as &[&str],
        &since,
        limit
    )
    .fetch_all(database)
    .await
    .failure("looking for orders that stand still")
}

/// The same for open orders that were submitted before `since`: at most `limit` of them.
///
/// # Errors
///
/// If the database fails.
pub async fn report_overdue(
    database: impl PgExecutor<'_>,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Late>, Failure> {
    sqlx::query_as!(
        Late,
        r#"WITH waiting AS (
               SELECT id FROM orders
               WHERE status <> 'CLOSED' AND submitted_at < $1 AND overdue_reported_at IS NULL
               ORDER BY submitted_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
           )
           UPDATE orders SET overdue_reported_at = now() FROM waiting WHERE orders.id = waiting.id
           RETURNING orders.id AS "id: OrderId", status AS "status: OrderStatus", submitted_at AS "since!",
                     customer_id AS customer, partner_id AS partner"#,
        since,
        limit
    )
    .fetch_all(database)
    .await
    .failure("looking for overdue orders")
}

fn arrays(deadlines: &[Deadline]) -> (Vec<&'static str>, Vec<OffsetDateTime>) {
    deadlines.iter().map(|deadline| (deadline.status.name(), deadline.since)).unzip()
}
