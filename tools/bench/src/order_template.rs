//! Submitted orders in bulk, with the rows and outbox messages that `POST /orders/{id}/status` makes.

use anyhow::{Context as _, Result};
use common::{
    domain::{Order, OrderFacts, OrderStatus},
    outbox::MessageType,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use testkit::site::{OrderActions as _, ring};
use time::OffsetDateTime;

use crate::testbed::Testbed;

/// The version of message bodies, as `common::outbox::schema` writes it.
const SCHEMA_VERSION: u32 = 1;

/// A real order in `FILE_UPLOADED`, with a model in the store, that is copied.
pub(crate) struct OrderTemplate(OrderFacts);

impl OrderTemplate {
    /// Creates the order in the shop, as a new customer's with a small model.
    pub(crate) async fn create(testbed: &Testbed) -> Result<Self> {
        let login = format!("template-{}", uuid::Uuid::now_v7().simple());
        let customer = testbed.shop()?.register(&login, "a ring to bring them all").await;
        let id = customer.create().await;
        customer.upload(&id, "ring.stl", ring()).await;
        let mut details = customer.get(&format!("/orders/{id}")).await.expect(200);
        let history = serde_json::from_value(details["history"].take())?;
        let order: Order = serde_json::from_value(details)?;
        let mut database = PgConnection::connect(&testbed.databases()?.shop).await?;
        let key = sqlx::query_scalar("SELECT model_key FROM orders WHERE id = $1").bind(id);
        let model_key = key.fetch_one(&mut database).await?;
        Ok(Self(OrderFacts { order, model_key, history, price_failure: None }))
    }

    /// Inserts submitted copies into the shop's database, in one transaction; then any relay may publish their messages.
    pub(crate) async fn insert(&self, database: &mut PgConnection, count: u64) -> Result<()> {
        // The UUIDs are of version 7, made from a sequence: they are ascending in an index, as real ones are.
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

    /// Inserts only messages of submitted copies, into an outbox that no relay reads.
    pub(crate) async fn fill_outbox(&self, database: &mut PgConnection, count: u64) -> Result<()> {
        const INSERT: &str = "
            INSERT INTO outbox (message_id, type, order_id, body, traceparent)
            SELECT gen_random_uuid(), $2, 'A-' || number, jsonb_set($3, '{order,id}', to_jsonb('A-' || number)),
                   '00-' || md5(number::text) || '-' || substr(md5(number::text), 17) || '-01'
            FROM generate_series(100000, 99999 + $1) AS number";
        sqlx::query(INSERT)
            .bind(i64::try_from(count)?)
            .bind(MessageType::OrderSubmitted.name())
            .bind(self.submitted_now()?)
            .execute(database)
            .await
            .context("inserting messages")?;
        Ok(())
    }

    /// The body of the message if the order is submitted now.
    pub(crate) fn submitted_now(&self) -> Result<Value> {
        self.message(OffsetDateTime::now_utc())
    }

    fn message(&self, now: OffsetDateTime) -> Result<Value> {
        let mut facts = self.0.clone();
        let mut submitted = facts.history.last().context("the order has no history")?.clone();
        (submitted.status, submitted.at) = (OrderStatus::Submitted, now);
        facts.history.push(submitted);
        (facts.order.status, facts.order.updated_at) = (OrderStatus::Submitted, now);
        let mut body = serde_json::to_value(facts)?;
        body["schema_version"] = json!(SCHEMA_VERSION);
        Ok(body)
    }
}
