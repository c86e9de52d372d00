//! Submitted orders in bulk: rows as `POST /orders/{id}/status` leaves them, each with its message in the outbox.

use anyhow::{Context as _, Result};
use common::{
    domain::{Order, OrderFacts, OrderStatus},
    messaging::MessageType,
};
use testkit::{
    Client,
    site::{OrderActions as _, ring},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use crate::stage::Stage;

/// The version of messages' bodies, as `common::messaging::schema` writes it.
const SCHEMA_VERSION: u32 = 1;

/// A real order with a model in the store, which all the others are copies of. It stays in `FILE_UPLOADED`.
pub(crate) struct Pattern(OrderFacts);

impl Pattern {
    /// Orders it in the shop, as a new customer with a small model.
    pub(crate) async fn order(stage: &Stage) -> Result<Self> {
        let shop = Client::new(stage.file().shop_api.as_deref().context("the services run")?);
        let login = format!("pattern-{}", uuid::Uuid::now_v7().simple());
        let customer = shop.register(&login, "a ring to bring them all").await;
        let id = customer.create().await;
        customer.upload(&id, "ring.stl", ring()).await;
        let mut details = customer.get(&format!("/orders/{id}")).await.expect(200);
        let history = serde_json::from_value(details["history"].take())?;
        let order: Order = serde_json::from_value(details)?;
        let mut database = PgConnection::connect(stage.shop_database()?).await?;
        let key = sqlx::query_scalar("SELECT model_key FROM orders WHERE id = $1").bind(id);
        let model_key = key.fetch_one(&mut database).await?;
        Ok(Self(OrderFacts { order, model_key, history, price_failure: None }))
    }

    /// Inserts so many submitted copies into the shop's database, in one transaction: when this returns, any relay may
    /// publish their messages.
    pub(crate) async fn insert(&self, database: &mut PgConnection, count: u64) -> Result<()> {
        // Numbers of version 7 from a sequence's: they come one after the other in an index, as real ones do.
        const INSERT: &str = "
            WITH numbers AS MATERIALIZED (
                SELECT nextval('order_number') AS number,
                       lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' AS time
                FROM generate_series(1, $1)
            ), copies AS MATERIALIZED (
                SELECT 'A-' || number AS id, time || '0008000' || lpad(to_hex(number), 12, '0') AS hex FROM numbers
            ), created AS (
                INSERT INTO orders (id, status, status_since, submitted_at, customer_id, material, quantity, comment,
                                    model_filename, model_format, model_bytes, model_sha256, model_key, created_at,
                                    updated_at)
                SELECT copies.id, 'SUBMITTED', $2, $2, customer_id, material, quantity, comment,
                       model_filename, model_format, model_bytes, model_sha256, model_key, created_at, $2
                FROM copies CROSS JOIN orders AS pattern WHERE pattern.id = $3
            ), noted AS (
                INSERT INTO order_history (order_id, status, at, actor, service, event_id)
                SELECT copies.id, change->>'status', (change->>'at')::timestamptz, change->>'actor', change->>'service',
                       overlay(hex PLACING lpad(place::text, 3, '0') FROM 14)::uuid
                FROM copies CROSS JOIN jsonb_array_elements($4->'history') WITH ORDINALITY AS changes (change, place)
            )
            INSERT INTO outbox (message_id, type, order_id, body, traceparent)
            SELECT hex::uuid, $5, id, jsonb_set($4, '{order,id}', to_jsonb(id)),
                   '00-' || md5(id) || '-' || substr(md5(id), 17) || '-01'
            FROM copies ORDER BY id";
        let now = OffsetDateTime::now_utc();
        sqlx::query(INSERT)
            .bind(i64::try_from(count)?)
            .bind(now)
            .bind(self.0.order.id.as_str())
            .bind(self.message(now)?)
            .bind(MessageType::OrderSubmitted.name())
            .execute(database)
            .await
            .context("inserting submitted orders")?;
        Ok(())
    }

    /// What a message tells of the order when it is submitted now.
    fn message(&self, now: OffsetDateTime) -> Result<Value> {
        let mut facts = self.0.clone();
        let mut submitted = facts.history.last().context("an order with a history")?.clone();
        (submitted.status, submitted.at) = (OrderStatus::Submitted, now);
        facts.history.push(submitted);
        (facts.order.status, facts.order.updated_at) = (OrderStatus::Submitted, now);
        let mut body = serde_json::to_value(facts)?;
        body["schema_version"] = json!(SCHEMA_VERSION);
        Ok(body)
    }
}
