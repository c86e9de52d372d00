//! Orders in the database: plain queries, and the types that they read.
//!
//! Who changes an order locks its row first ([`lock`]), so that a decision about it holds until it is committed.

use catalogue::Service;
use std::collections::HashSet;

use common::{
    Failure, FailureContext as _,
    domain::{Actor, Change, Material, Model, ModelFormat, Order, OrderFacts, OrderId, OrderStatus, Owner, Price},
    failure::ErrorType,
    http::Cursor,
    messaging::{self, MessageType},
    telemetry::Subject,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::pricing::PriceStatus;

/// An order as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MesOrder {
    /// What every system says of it.
    #[serde(flatten)]
    pub order: Order,
    /// The operator who has taken it.
    pub operator_id: Option<Uuid>,
    /// How far the calculation of its price is.
    pub price_status: PriceStatus,
    /// Why its price could not be calculated, in words for the customer.
    pub price_failure: Option<String>,
}

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// What is told of it.
    pub order: MesOrder,
    /// What its 3D model is called and how large it is.
    pub model: Model,
    /// Where its 3D model lies in the model store.
    pub model_key: String,
}

impl StoredOrder {
    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        self.order.order.status
    }

    /// Its number and its owner, for records.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::order(&self.order.order.id, self.order.order.owner)
    }
}

/// A row of `orders`.
struct Row {
    id: OrderId,
    status: OrderStatus,
    customer_id: Option<Uuid>,
    partner_id: Option<Uuid>,
    material: Material,
    quantity: i32,
    comment: Option<String>,
    model_filename: String,
    model_format: ModelFormat,
    model_bytes: i64,
    model_sha256: String,
    model_key: String,
    price_amount_minor: Option<i64>,
    price_currency: Option<String>,
    price_status: PriceStatus,
    price_failure: Option<String>,
    operator_id: Option<Uuid>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for StoredOrder {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        // The constraint orders_have_one_owner leaves no third case.
        let owner = row.customer_id.map(Owner::Customer).or(row.partner_id.map(Owner::Partner));
        let owner = owner.ok_or(Failure::bare(ErrorType::Internal, "an order has no owner"))?;
        let model = Model {
            filename: row.model_filename,
            format: row.model_format,
            bytes: row.model_bytes,
            sha256: row.model_sha256,
        };
        let price = row.price_amount_minor.zip(row.price_currency);
        let order = Order {
            id: row.id,
            status: row.status,
            owner,
            material: row.material,
            quantity: row.quantity,
            comment: row.comment,
            model: Some(model.clone()),
            price: price.map(|(amount_minor, currency)| Price { amount_minor, currency }),
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Self {
            order: MesOrder {
                order,
                operator_id: row.operator_id,
                price_status: row.price_status,
                price_failure: row.price_failure,
            },
            model,
            model_key: row.model_key,
        })
    }
}

/// Reads whole rows of `orders`; says where from.
macro_rules! select {
    ($rest:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: OrderId", status AS "status: OrderStatus", customer_id, partner_id,
                   material AS "material: Material", quantity, comment, model_filename,
                   model_format AS "model_format: ModelFormat", model_bytes, model_sha256, model_key,
                   price_amount_minor, price_currency, price_status AS "price_status: PriceStatus", price_failure,
                   operator_id, created_at, updated_at
               "# + $rest
            $(, $argument)*
        )
    };
}

/// The order with this number.
///
/// # Errors
///
/// If the database fails.
pub async fn find(connection: &mut PgConnection, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select!("FROM orders WHERE id = $1", id.as_str());
    let row = row.fetch_optional(connection).await.failure("reading an order")?;
    row.map(StoredOrder::try_from).transpose()
}

/// The order with this number, which nobody else can change before the transaction ends.
///
/// # Errors
///
/// If the database fails.
pub async fn lock(transaction: &mut PgConnection, id: &OrderId) -> Result<Option<StoredOrder>, Failure> {
    let row = select!("FROM orders WHERE id = $1 FOR UPDATE", id.as_str());
    let row = row.fetch_optional(transaction).await.failure("locking an order")?;
    row.map(StoredOrder::try_from).transpose()
}

/// At most `limit` orders, newest first, from behind `after` on.
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
    // Status by status, each a walk along the index, and the newest of all these: with a filter or without, no plan for
    // this reads more than a page of every status, whatever the statistics say.
    let rows = select!(
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

/// Everything that happened to an order, the oldest first.
///
/// # Errors
///
/// If the database fails.
pub async fn history(connection: &mut PgConnection, id: &OrderId) -> Result<Vec<Change>, Failure> {
    let rows = sqlx::query_as!(
        Change,
        r#"SELECT status AS "status: OrderStatus", at, actor, service AS "service: Service"
           FROM order_history WHERE order_id = $1"#,
        id.as_str()
    );
    let mut changes = rows.fetch_all(connection).await.failure("reading an order's history")?;
    // Statuses are linear, while two of them may have been set in the same instant.
    changes.sort_unstable_by_key(|change| change.status);
    Ok(changes)
}

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

/// A change of an order's status, with the number of its record if the MES wrote one.
#[derive(Debug, Serialize)]
pub struct NewChange<'a> {
    /// The change.
    #[serde(flatten)]
    pub change: &'a Change,
    /// The number of its record.
    pub event_id: Option<Uuid>,
}

/// An order that the MES doesn't have yet.
#[derive(Debug, Serialize)]
pub struct Arrival<'a> {
    /// What is told of it; it has a model.
    #[serde(flatten)]
    pub order: &'a Order,
    /// Where its 3D model lies in the model store.
    pub model_key: &'a str,
    /// How far the calculation of its price is.
    pub price_status: PriceStatus,
    /// Everything that happened to it.
    pub history: Vec<NewChange<'a>>,
}

/// Stores those of these orders that the MES doesn't have yet; gives their numbers. No two of them may have the same one.
///
/// # Errors
///
/// If the database fails.
pub async fn insert(transaction: &mut PgConnection, orders: &[Arrival<'_>]) -> Result<HashSet<OrderId>, Failure> {
    // As one document: the database's work for a statement, its constraints read anew each time, is done once for all.
    let inserted = sqlx::query_scalar!(
        r#"WITH new AS MATERIALIZED (
               SELECT * FROM jsonb_to_recordset($1) AS new (
                   id text, status text, customer_id uuid, partner_id uuid, material text, quantity integer, comment text,
                   model jsonb, model_key text, price jsonb, price_status text, created_at timestamptz,
                   updated_at timestamptz, history jsonb)
           ), stored AS (
               INSERT INTO orders (id, status, customer_id, partner_id, material, quantity, comment, model_filename,
                   model_format, model_bytes, model_sha256, model_key, price_amount_minor, price_currency, price_status,
                   created_at, updated_at)
               SELECT id, status, customer_id, partner_id, material, quantity, comment, model->>'filename',
                   model->>'format', (model->>'bytes')::bigint, model->>'sha256', model_key,
                   (price->>'amount_minor')::bigint, price->>'currency', price_status, created_at, updated_at
               FROM new
               ON CONFLICT (id) DO NOTHING
               RETURNING id
           ), noted AS (
               INSERT INTO order_history (order_id, status, at, actor, service, event_id)
               SELECT id, change.status, at, actor, service, event_id
               FROM stored JOIN new USING (id) CROSS JOIN jsonb_to_recordset(history) AS change (
                   status text, at timestamptz, actor text, service text, event_id uuid)
           )
           SELECT id AS "id: OrderId" FROM stored"#,
        Json(orders) as _
    );
    Ok(inserted.fetch_all(transaction).await.failure("storing orders")?.into_iter().collect())
}

async fn add_history(transaction: &mut PgConnection, id: &OrderId, changes: &[NewChange<'_>]) -> Result<(), Failure> {
    let (statuses, times): (Vec<_>, Vec<_>) =
        changes.iter().map(|new| (new.change.status.name(), new.change.at)).unzip();
    let (actors, services): (Vec<_>, Vec<_>) =
        changes.iter().map(|new| (new.change.actor.as_str(), new.change.service.name())).unzip();
    let event_ids: Vec<_> = changes.iter().map(|new| new.event_id).collect();
    let inserted = sqlx::query!(
        "INSERT INTO order_history (order_id, status, at, actor, service, event_id)
         SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[])",
        id.as_str(),
        &statuses as &[&str],
        &times,
        &actors as &[&str],
        &services as &[&str],
        &event_ids as &[Option<Uuid>]
    );
    inserted.execute(transaction).await.failure("storing an order's history")?;
    Ok(())
}

/// Makes changes that another system has made: the last one's status, and all of them in the history as they are told, each
/// with the number of its record here.
///
/// # Errors
///
/// If the database fails.
pub async fn copy_changes(
    transaction: &mut PgConnection,
    id: &OrderId,
    changes: &[NewChange<'_>],
) -> Result<(), Failure> {
    let Some(NewChange { change: last, .. }) = changes.last() else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE orders SET status = $2, updated_at = greatest(updated_at, $3) WHERE id = $1",
        id.as_str(),
        last.status.name(),
        last.at
    )
    .execute(&mut *transaction)
    .await
    .failure("changing an order's status")?;
    add_history(transaction, id, changes).await
}

/// Sets the next status, now, with the number of the change's record. Whether that is allowed is decided before, under the
/// lock.
///
/// # Errors
///
/// If the database fails.
pub async fn advance(
    transaction: &mut PgConnection,
    id: &OrderId,
    to: OrderStatus,
    actor: Actor,
    event_id: Uuid,
) -> Result<(), Failure> {
    // The clock rather than the transaction's time: whoever waited for the lock comes after the one before.
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
        event_id
    )
    .execute(transaction)
    .await
    .failure("changing an order's status")?;
    Ok(())
}

/// Gives the order to an operator.
///
/// # Errors
///
/// If the database fails.
pub async fn assign(transaction: &mut PgConnection, id: &OrderId, operator: Uuid) -> Result<(), Failure> {
    let assigned = sqlx::query!("UPDATE orders SET operator_id = $2 WHERE id = $1", id.as_str(), operator);
    assigned.execute(transaction).await.failure("assigning an operator")?;
    Ok(())
}

/// Says how far the calculation of the price is, with the price or with the reason why there is none.
///
/// # Errors
///
/// If the database fails.
pub async fn set_price(
    transaction: &mut PgConnection,
    id: &OrderId,
    status: PriceStatus,
    price: Option<&Price>,
    failure: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query!(
        "UPDATE orders SET price_status = $2, price_amount_minor = $3, price_currency = $4, price_failure = $5,
             updated_at = clock_timestamp()
         WHERE id = $1",
        id.as_str(),
        status.name(),
        price.map(|price| price.amount_minor),
        price.map(|price| price.currency.as_str()),
        failure
    )
    .execute(transaction)
    .await
    .failure("setting a price")?;
    Ok(())
}

/// Tells the CRM of the order as it is now, in the transaction of the change. Gives what was told.
///
/// # Errors
///
/// If the database fails.
pub async fn tell(
    transaction: &mut PgConnection,
    message_type: MessageType,
    id: &OrderId,
) -> Result<(MesOrder, Vec<Change>), Failure> {
    let stored = find(transaction, id).await?;
    let stored = stored.ok_or(Failure::bare(ErrorType::Internal, "a changed order is gone"))?;
    let facts = OrderFacts {
        order: stored.order.order.clone(),
        model_key: stored.model_key,
        history: history(transaction, id).await?,
        price_failure: stored.order.price_failure.clone(),
    };
    messaging::write(transaction, message_type, &facts).await?;
    Ok((stored.order, facts.history))
}
