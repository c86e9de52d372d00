//! Changing orders. Each function takes the proof that the change is recorded.

use catalogue::Service;
use common::{
    domain::{
        Actor, Change, CustomerId, EventId, Material, Model, ModelFormat, ModelUnit, NewOrder, Notice, Order,
        OrderFacts, OrderId, OrderStatus, Owner, PartnerId,
    },
    failure::{Failure, FailureContext as _},
    unit_of_work::Recorded,
};
use sqlx::{PgExecutor, types::Json};

/// A customer's order that is created.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its number.
    pub id: OrderId,
    /// The customer's account.
    pub customer: CustomerId,
    /// Its fields.
    pub fields: NewOrder,
    /// Who creates it.
    pub actor: Actor,
}

/// Creates customers' orders with their history, and stages the records of that: one statement, one round trip. Returns the
/// orders in the same sequence, which is that of their records.
///
/// # Errors
///
/// If the database fails.
pub async fn create(mut recorded: Recorded<'_>, service: Service, new: &[NewRow]) -> Result<Vec<Order>, Failure> {
    let ids: Vec<_> = new.iter().map(|row| row.id.as_str()).collect();
    let customers: Vec<_> = new.iter().map(|row| row.customer.uuid()).collect();
    let materials: Vec<_> = new.iter().map(|row| row.fields.material).collect();
    let quantities: Vec<_> = new.iter().map(|row| row.fields.quantity).collect();
    let comments: Vec<_> = new.iter().map(|row| row.fields.comment.as_deref()).collect();
    let actors: Vec<_> = new.iter().map(|row| row.actor.to_string()).collect();
    let event_ids: Vec<_> = recorded.event_ids().into_iter().map(EventId::uuid).collect();
    let staged = recorded.stage();
    let now = sqlx::query_scalar!(
        r#"WITH new AS MATERIALIZED (
               SELECT * FROM unnest($2::text[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::uuid[])
                   AS new (id, customer_id, material, quantity, comment, actor, event_id)
           ), created AS (
               INSERT INTO orders (id, status, status_since, customer_id, material, quantity, comment, created_at, updated_at)
               SELECT id, 'INITIATED', now(), customer_id, material, quantity, comment, now(), now() FROM new
           ), history AS (
               INSERT INTO order_history (order_id, status, at, actor, service, event_id)
               SELECT id, 'INITIATED', now(), actor, $1, event_id FROM new
           ), staged AS (
               INSERT INTO journal (event_id, line) SELECT * FROM unnest($9::uuid[], $10::text[])
           )
           SELECT now() AS "now!""#,
        service.name(),
        &ids as &[&str],
        &customers,
        &materials as &[Material],
        &quantities,
        &comments as &[Option<&str>],
        &actors,
        &event_ids,
        &staged.event_ids,
        &staged.lines
    );
    let now = now.fetch_one(recorded.connection()).await.failure("creating orders")?;
    let order = |row: &NewRow| Order {
        id: row.id.clone(),
        status: OrderStatus::Initiated,
        owner: Owner::Customer(row.customer),
        material: row.fields.material,
        quantity: row.fields.quantity,
        comment: row.fields.comment.clone(),
        model: None,
        price: None,
        created_at: now,
        updated_at: now,
    };
    Ok(new.iter().map(order).collect())
}

/// Reserves order numbers: the next `count` of the sequence.
///
/// # Errors
///
/// If the database fails.
pub async fn reserve_numbers(database: impl PgExecutor<'_>, count: i32) -> Result<Vec<OrderId>, Failure> {
    let ids = sqlx::query_scalar!(
        r#"SELECT 'A-' || nextval('order_number') AS "id!: OrderId" FROM generate_series(1, $1::integer)"#,
        count
    );
    ids.fetch_all(database).await.failure("reserving order numbers")
}

/// Sets the next status of an order and adds it to its history. Whether that is allowed is decided before, under the lock.
///
/// # Errors
///
/// If the database fails.
pub async fn advance(mut recorded: Recorded<'_>, order: &mut Order, change: &Change) -> Result<(), Failure> {
    let updated_at = sqlx::query_scalar!(
        "WITH history AS (INSERT INTO order_history (order_id, status, at, actor, service, event_id)
                        VALUES ($1, $2, $3, $4, $5, $6))
         UPDATE orders SET status = $2, status_since = $3, updated_at = greatest(now(), $3),
                           submitted_at = CASE WHEN $2 = 'SUBMITTED' THEN $3 ELSE submitted_at END
         WHERE id = $1 RETURNING updated_at",
        order.id.as_str(),
        change.status.name(),
        change.at,
        change.actor.to_string(),
        change.service.name(),
        recorded.event_id().uuid()
    )
    .fetch_one(recorded.connection())
    .await
    .failure("changing an order's status")?;
    order.status = change.status;
    order.updated_at = updated_at;
    Ok(())
}

/// Attaches a model to an order, instead of the one before.
///
/// # Errors
///
/// If the database fails.
pub async fn attach_model(
    mut recorded: Recorded<'_>,
    order: &mut Order,
    model: Model,
    key: &str,
) -> Result<(), Failure> {
    let updated_at = sqlx::query_scalar!(
        "UPDATE orders SET model_filename = $2, model_format = $3, model_bytes = $4, model_sha256 = $5, model_key = $6,
                           model_unit = $7, updated_at = now()
         WHERE id = $1 RETURNING updated_at",
        order.id.as_str(),
        model.filename,
        model.format as ModelFormat,
        model.bytes,
        model.sha256,
        key,
        model.unit as Option<ModelUnit>
    )
    .fetch_one(recorded.connection())
    .await
    .failure("attaching a model")?;
    order.model = Some(model);
    order.updated_at = updated_at;
    Ok(())
}

/// Adds an order that a partner placed in the MES, as it was when it was submitted. Does nothing if it is known already.
///
/// # Errors
///
/// If the database fails.
pub async fn take_over(mut recorded: Recorded<'_>, facts: &OrderFacts) -> Result<(), Failure> {
    let OrderFacts { order, model_key, history, .. } = facts;
    let until_submitted = || history.iter().filter(|change| change.status <= OrderStatus::Submitted);
    let submitted = until_submitted().map(|change| change.at).max().unwrap_or(order.created_at);
    let model = order.model.as_ref();
    let inserted = sqlx::query!(
        "INSERT INTO orders (id, status, status_since, submitted_at, partner_id, material, quantity, comment, model_filename,
                             model_format, model_bytes, model_sha256, model_key, model_unit, created_at, updated_at)
         VALUES ($1, 'SUBMITTED', $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now())
         ON CONFLICT (id) DO NOTHING",
        order.id.as_str(),
        submitted,
        order.owner.partner().map(PartnerId::uuid),
        order.material as Material,
        order.quantity,
        order.comment,
        model.map(|model| model.filename.as_str()),
        model.map(|model| model.format) as Option<ModelFormat>,
        model.map(|model| model.bytes),
        model.map(|model| model.sha256.as_str()),
        model.map(|_| model_key.as_str()),
        model.and_then(|model| model.unit) as Option<ModelUnit>,
        order.created_at
    );
    if inserted.execute(recorded.connection()).await.failure("taking an order over")?.rows_affected() == 0 {
        return Ok(());
    }
    for change in until_submitted() {
        sqlx::query!(
            "INSERT INTO order_history (order_id, status, at, actor, service) VALUES ($1, $2, $3, $4, $5)",
            order.id.as_str(),
            change.status.name(),
            change.at,
            change.actor.to_string(),
            change.service.name()
        )
        .execute(recorded.connection())
        .await
        .failure("taking an order's history over")?;
    }
    Ok(())
}

/// Sets the price that the MES calculated, with what it found out about the model, or the reason why there is none. A price
/// that is set stays, and of several reasons the latest, by when the MES last changed the order.
///
/// # Errors
///
/// If the database fails.
pub async fn set_price(mut recorded: Recorded<'_>, facts: &OrderFacts) -> Result<(), Failure> {
    let Order { id, price, model, updated_at, .. } = &facts.order;
    let failure = facts.price_failure.as_ref().filter(|_| price.is_none());
    let failed_at = failure.map(|_| *updated_at);
    let (failure, code, failure_ru) = Notice::parts(failure);
    let model = model.as_ref();
    let measured = model.and_then(|model| model.measured.as_ref());
    sqlx::query!(
        "UPDATE orders SET price_amount_minor = $2, price_currency = $3, price_failure = $4, price_failure_code = $5,
                           price_failure_ru = $6, model_unit = coalesce($7, model_unit), model_measured = $8,
                           model_warnings = $9, price_failed_at = $10, updated_at = now()
         WHERE id = $1 AND price_amount_minor IS NULL
               AND ($2::bigint IS NOT NULL OR price_failed_at IS NULL OR price_failed_at < $10)",
        id.as_str(),
        price.as_ref().map(|price| price.amount_minor),
        price.as_ref().map(|price| price.currency.as_str()),
        failure,
        code,
        failure_ru,
        model.and_then(|model| model.unit) as Option<ModelUnit>,
        measured.map(Json) as _,
        measured.and(model).map(|model| Json(&model.warnings)) as _,
        failed_at
    )
    .execute(recorded.connection())
    .await
    .failure("setting a price")?;
    Ok(())
}
