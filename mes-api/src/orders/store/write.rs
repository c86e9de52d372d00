//! Changing orders. Each function takes the proof that the change is recorded.

use std::collections::HashSet;

use catalogue::Service;
use common::{
    domain::{Actor, Change, EventId, ModelUnit, Notice, OperatorId, Order, OrderId, OrderStatus, Price},
    failure::{ErrorType, Failure, FailureContext as _},
    unit_of_work::Recorded,
};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::orders::{finding::Finding, price_status::PriceStatus};

/// A number for a new partner order, and the time.
///
/// # Errors
///
/// If the database fails.
pub async fn number_partner_order(transaction: &mut PgConnection) -> Result<(OrderId, OffsetDateTime), Failure> {
    let row = sqlx::query!(r#"SELECT nextval('partner_order_number') AS "number!", now() AS "now!""#);
    let row = row.fetch_one(transaction).await.failure("numbering an order")?;
    let id = format!("P-{}", row.number).parse();
    let id = id.map_err(|error| Failure::new(ErrorType::Internal, "numbering an order", error))?;
    Ok((id, row.now))
}

/// A change of an order's status, with the id of its record if the MES wrote one.
#[derive(Debug, Serialize)]
pub struct NewChange<'a> {
    /// The change.
    #[serde(flatten)]
    pub change: &'a Change,
    /// The id of its record.
    pub event_id: Option<EventId>,
}

/// An order that the MES doesn't have yet.
#[derive(Debug, Serialize)]
pub struct Arrival<'a> {
    /// The order; it has a model.
    #[serde(flatten)]
    pub order: &'a Order,
    /// The key of its 3D model in the model store.
    pub model_key: &'a str,
    /// How far the calculation of its price is.
    pub price_status: PriceStatus,
    /// Its history.
    pub history: Vec<NewChange<'a>>,
}

/// Adds those of these orders that the MES doesn't have yet, and returns their numbers. No two of them may have the same
/// one.
///
/// # Errors
///
/// If the database fails.
pub async fn insert(mut recorded: Recorded<'_>, orders: &[Arrival<'_>]) -> Result<HashSet<OrderId>, Failure> {
    // As one document: PostgreSQL's work for a statement, such as reading the table's constraints, is done once for all.
    let inserted = sqlx::query_scalar!(
        r#"WITH new AS MATERIALIZED (
               SELECT * FROM jsonb_to_recordset($1) AS new (
                   id text, status text, customer_id uuid, partner_id uuid, material text, quantity integer, comment text,
                   model jsonb, model_key text, price jsonb, price_status text, created_at timestamptz,
                   updated_at timestamptz, history jsonb)
           ), stored AS (
               INSERT INTO orders (id, status, customer_id, partner_id, material, quantity, comment, model_filename,
                   model_format, model_bytes, model_sha256, model_unit, model_measured, model_warnings, model_key,
                   price_amount_minor, price_currency, price_status, created_at, updated_at)
               SELECT id, status, customer_id, partner_id, material, quantity, comment, model->>'filename',
                   model->>'format', (model->>'bytes')::bigint, model->>'sha256', model->>'unit',
                   nullif(model->'measured', 'null'), model->'warnings', model_key,
                   (price->>'amount_minor')::bigint, price->>'currency', price_status, created_at, updated_at
               FROM new
               ON CONFLICT (id) DO NOTHING
               RETURNING id
           ), history AS (
               INSERT INTO order_history (order_id, status, at, actor, service, event_id)
               SELECT id, change.status, at, actor, service, event_id
               FROM stored JOIN new USING (id) CROSS JOIN jsonb_to_recordset(history) AS change (
                   status text, at timestamptz, actor text, service text, event_id uuid)
           )
           SELECT id AS "id: OrderId" FROM stored"#,
        Json(orders) as _
    );
    Ok(inserted.fetch_all(recorded.connection()).await.failure("adding orders")?.into_iter().collect())
}

async fn add_history(mut recorded: Recorded<'_>, id: &OrderId, changes: &[NewChange<'_>]) -> Result<(), Failure> {
    let (statuses, times): (Vec<_>, Vec<_>) =
        changes.iter().map(|new| (new.change.status.name(), new.change.at)).unzip();
    let (actors, services): (Vec<_>, Vec<_>) =
        changes.iter().map(|new| (new.change.actor.to_string(), new.change.service.name())).unzip();
    let event_ids: Vec<_> = changes.iter().map(|new| new.event_id.map(EventId::uuid)).collect();
    let inserted = sqlx::query!(
        "INSERT INTO order_history (order_id, status, at, actor, service, event_id)
         SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[])",
        id.as_str(),
        &statuses as &[&str],
        &times,
        &actors,
        &services as &[&str],
        &event_ids as &[Option<Uuid>]
    );
    inserted.execute(recorded.connection()).await.failure("adding to an order's history")?;
    Ok(())
}

/// Makes changes that another service has made: sets the last one's status, and adds all of them to the history as they are,
/// each with the id of its record here.
///
/// # Errors
///
/// If the database fails.
pub async fn copy_changes(mut recorded: Recorded<'_>, id: &OrderId, changes: &[NewChange<'_>]) -> Result<(), Failure> {
    let Some(NewChange { change: last, .. }) = changes.last() else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE orders SET status = $2, updated_at = greatest(updated_at, $3) WHERE id = $1",
        id.as_str(),
        last.status.name(),
        last.at
    )
    .execute(recorded.connection())
    .await
    .failure("changing an order's status")?;
    add_history(recorded, id, changes).await
}

/// Sets the next status, now, and adds it to the history. Whether that is allowed is decided before, under the lock.
///
/// # Errors
///
/// If the database fails.
pub async fn advance(mut recorded: Recorded<'_>, id: &OrderId, to: OrderStatus, actor: Actor) -> Result<(), Failure> {
    // The clock and not the transaction's time: a transaction that waited for the lock comes after the one before.
    sqlx::query!(
        "WITH changed AS (
             UPDATE orders SET status = $2, updated_at = clock_timestamp() WHERE id = $1 RETURNING updated_at
         )
         INSERT INTO order_history (order_id, status, at, actor, service, event_id)
         SELECT $1, $2, updated_at, $3, $4, $5 FROM changed",
        id.as_str(),
        to.name(),
        actor.to_string(),
        Service::MesApi.name(),
        recorded.event_id().uuid()
    )
    .execute(recorded.connection())
    .await
    .failure("changing an order's status")?;
    Ok(())
}

/// Sets the price that the MES has calculated and what it found out about the model, and the status that follows, in one
/// statement.
///
/// # Errors
///
/// If the database fails.
pub async fn advance_with_price(
    mut recorded: Recorded<'_>,
    id: &OrderId,
    to: OrderStatus,
    price: &Price,
    finding: &Finding,
) -> Result<(), Failure> {
    sqlx::query!(
        "WITH changed AS (
             UPDATE orders SET status = $2, price_status = $3, price_amount_minor = $4, price_currency = $5,
                 price_failure = NULL, price_failure_code = NULL, price_failure_ru = NULL, model_unit = $9,
                 model_measured = $10, model_warnings = $11, updated_at = clock_timestamp()
             WHERE id = $1 RETURNING updated_at
         )
         INSERT INTO order_history (order_id, status, at, actor, service, event_id)
         SELECT $1, $2, updated_at, $6, $7, $8 FROM changed",
        id.as_str(),
        to.name(),
        PriceStatus::Calculated.name(),
        price.amount_minor,
        price.currency,
        Actor::Service(Service::MesApi).to_string(),
        Service::MesApi.name(),
        recorded.event_id().uuid(),
        finding.unit as ModelUnit,
        Json(&finding.measured) as _,
        Json(&finding.warnings) as _
    )
    .execute(recorded.connection())
    .await
    .failure("changing an order's status")?;
    Ok(())
}

/// Assigns an order to an operator.
///
/// # Errors
///
/// If the database fails.
pub async fn assign(mut recorded: Recorded<'_>, id: &OrderId, operator: OperatorId) -> Result<(), Failure> {
    let assigned = sqlx::query!("UPDATE orders SET operator_id = $2 WHERE id = $1", id.as_str(), operator.uuid());
    assigned.execute(recorded.connection()).await.failure("assigning an operator")?;
    Ok(())
}

/// Sets how far the calculation of the price is, with the price or with the reason why there is none. The CRM sees by
/// `updated_at` which of several reasons is the latest.
///
/// # Errors
///
/// If the database fails.
pub async fn set_price(
    mut recorded: Recorded<'_>,
    id: &OrderId,
    status: PriceStatus,
    price: Option<&Price>,
    failure: Option<&Notice>,
) -> Result<(), Failure> {
    let (failure, code, failure_ru) = Notice::parts(failure);
    sqlx::query!(
        "UPDATE orders SET price_status = $2, price_amount_minor = $3, price_currency = $4, price_failure = $5,
             price_failure_code = $6, price_failure_ru = $7, updated_at = clock_timestamp(),
             price_failures = price_failures + CASE WHEN $2 = 'FAILED' THEN 1 ELSE 0 END
         WHERE id = $1",
        id.as_str(),
        status.name(),
        price.map(|price| price.amount_minor),
        price.map(|price| price.currency.as_str()),
        failure,
        code,
        failure_ru
    )
    .execute(recorded.connection())
    .await
    .failure("setting a price")?;
    Ok(())
}
