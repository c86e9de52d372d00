//! The floor of the way from a submitted order to the MES: what the databases and the broker have to do for it, done at once and
//! on the same cores by pgbench and by a publisher that does nothing else.
//!
//! The statements work on copies of the services' tables, in a schema of their own. They make what the services pass as
//! parameters, and read no JSON.

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join3;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    journal::{self, while_pruned},
    order_template::OrderTemplate,
    pgbench,
    testbed::Testbed,
};

/// Messages that a relay publishes at once, and orders that a consumer stores at once, as their settings' defaults are.
const PUBLISHED_AT_ONCE: u64 = 200;
const STORED_AT_ONCE: u64 = 64;
/// Transactions at the same time: one relay, and a consumer's four.
const RELAYS: usize = 1;
const CONSUMERS: usize = 4;
const SCHEMA: &str = "floor";
const QUEUE: &str = "floor";
const PERSISTENT: u8 = 2;

/// The outbox and the journal of the shop.
const SHOP_TABLES: &str = "
    DROP SCHEMA IF EXISTS floor CASCADE;
    CREATE SCHEMA floor;
    CREATE TABLE floor.outbox (LIKE outbox INCLUDING ALL);
    CREATE TABLE floor.journal (LIKE journal INCLUDING ALL)";

/// What a message changes in the MES.
const MES_TABLES: &str = "
    DROP SCHEMA IF EXISTS floor CASCADE;
    CREATE SCHEMA floor;
    CREATE TABLE floor.journal (LIKE journal INCLUDING ALL);
    CREATE TABLE floor.inbox (LIKE inbox INCLUDING ALL);
    CREATE TABLE floor.orders (LIKE orders INCLUDING ALL);
    CREATE TABLE floor.order_history (LIKE order_history INCLUDING ALL, FOREIGN KEY (order_id) REFERENCES floor.orders);
    CREATE TABLE floor.price_jobs (LIKE price_jobs INCLUDING ALL, FOREIGN KEY (order_id) REFERENCES floor.orders);
    CREATE SEQUENCE floor.numbers START WITH 100000;
    CREATE TABLE floor.pattern AS SELECT * FROM orders LIMIT 1;
    CREATE TABLE floor.pattern_history AS SELECT * FROM order_history WHERE order_id = (SELECT id FROM floor.pattern)";

/// The columns that all copies of an order share.
const SHARED: &str = "status, customer_id, material, quantity, comment, model_filename, model_format, model_bytes, \
                      model_sha256, model_key, price_status, created_at, updated_at";

/// The databases and the broker of a system in which an order has come to the MES.
pub(crate) struct MessageFloor {
    shop: PgConnection,
    mes: PgConnection,
    /// As pgbench finds the copies of the tables.
    urls: [String; 2],
    relay: PathBuf,
    consume: PathBuf,
    /// Stays open for the channel.
    _broker: Connection,
    channel: Channel,
}

impl MessageFloor {
    pub(crate) async fn prepare(testbed: &Testbed) -> Result<Self> {
        let databases = testbed.databases()?;
        let urls = [&databases.shop, &databases.mes].map(|url| pgbench::with_setting(url, "search_path", SCHEMA));
        let (shop, mes) = (PgConnection::connect(&urls[0]).await?, PgConnection::connect(&urls[1]).await?);
        let folder = testbed.folder("pgbench")?;
        let (relay, consume) = (folder.join("relay.sql"), folder.join("consume.sql"));
        fs::write(&relay, relay_script())?;
        fs::write(&consume, consume_script())?;
        let amqp = testbed.file().amqp.as_deref().context("RabbitMQ doesn't run")?;
        let broker = Connection::connect(amqp, ConnectionProperties::default()).await?;
        let channel = broker.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { shop, mes, urls, relay, consume, _broker: broker, channel })
    }

    /// Brings this many orders on their way, each the copy of one; returns how many a second.
    pub(crate) async fn measure(&mut self, template: &OrderTemplate, orders: u64) -> Result<f64> {
        sqlx::raw_sql(AssertSqlSafe(format!("SET search_path = public; {SHOP_TABLES}; SET search_path = {SCHEMA}")))
            .execute(&mut self.shop)
            .await
            .context("copying the shop's tables")?;
        sqlx::raw_sql(AssertSqlSafe(format!("SET search_path = public; {MES_TABLES}; SET search_path = {SCHEMA}")))
            .execute(&mut self.mes)
            .await
            .context("copying the tables of the MES")?;
        template.fill_outbox(&mut self.shop, orders).await?;
        let body = template.submitted_now()?.to_string().into_bytes();
        declare(&self.channel).await?;

        let begun = Instant::now();
        let relayed = pgbench::repeat(&self.urls[0], &self.relay, RELAYS, orders.div_ceil(PUBLISHED_AT_ONCE));
        let batches = orders.div_ceil(STORED_AT_ONCE * u64::try_from(CONSUMERS)?);
        let consumed = pgbench::repeat(&self.urls[1], &self.consume, CONSUMERS, batches);
        try_join3(
            while_pruned(&mut self.shop, relayed),
            while_pruned(&mut self.mes, consumed),
            publish(&self.channel, &body, orders),
        )
        .await?;
        let rate = orders as f64 / begun.elapsed().as_secs_f64();
        self.channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
        Ok(rate)
    }
}

/// One batch of the relay: it reads messages, keeps their records, and deletes them.
fn relay_script() -> String {
    let kept = journal::row("gen_random_uuid()", "order_id", "FROM claimed");
    format!(
        "WITH claimed AS MATERIALIZED ( \
             SELECT seq, message_id, type, order_id, body, traceparent, tracestate \
             FROM outbox ORDER BY seq LIMIT {PUBLISHED_AT_ONCE} FOR UPDATE SKIP LOCKED \
         ), kept AS ({kept}), \
         deleted AS (DELETE FROM outbox USING claimed WHERE outbox.seq = claimed.seq) \
         SELECT * FROM claimed;\n"
    )
}

/// One batch of the consumer: the notes in the inbox, new orders with their history, their price jobs, and two records each.
fn consume_script() -> String {
    let records = "FROM new CROSS JOIN generate_series(1, 2)";
    let kept = journal::row("gen_random_uuid()", "id", records);
    let shared = SHARED.split(", ").map(|column| format!("pattern.{column}")).collect::<Vec<_>>().join(", ");
    format!(
        "WITH new AS MATERIALIZED ( \
             SELECT 'A-' || number AS id, \
                 (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '70008000' \
                     || lpad(to_hex(number), 12, '0'))::uuid AS message_id \
             FROM (SELECT nextval('numbers') AS number FROM generate_series(1, {STORED_AT_ONCE})) AS numbers \
         ), noted AS ( \
             INSERT INTO inbox (message_id) SELECT message_id FROM new ON CONFLICT DO NOTHING RETURNING message_id \
         ), stored AS ( \
             INSERT INTO orders (id, {SHARED}) SELECT new.id, {shared} FROM new CROSS JOIN pattern \
             ON CONFLICT (id) DO NOTHING RETURNING id \
         ), history AS ( \
             INSERT INTO order_history (order_id, status, at, actor, service) \
             SELECT new.id, status, at, actor, service FROM new CROSS JOIN pattern_history \
         ), jobs AS ( \
             INSERT INTO price_jobs (order_id, traceparent) \
             SELECT id, '00-' || md5(id) || '-' || substr(md5(id), 17) || '-01' FROM new \
         ), kept AS ({kept}) \
         SELECT id FROM stored;\n"
    )
}

/// Declares an empty queue of the services' kind.
async fn declare(channel: &Channel) -> Result<()> {
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), durable, quorum).await?;
    Ok(())
}

/// Publishes messages in the relay's batches, and waits for their confirms.
async fn publish(channel: &Channel, body: &[u8], messages: u64) -> Result<()> {
    for _ in 0..messages.div_ceil(PUBLISHED_AT_ONCE) {
        let mut confirms = Vec::new();
        for _ in 0..PUBLISHED_AT_ONCE {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
            confirms.push(channel.basic_publish("".into(), QUEUE.into(), options, body, properties).await?);
        }
        for confirm in confirms {
            ensure!(matches!(confirm.await?, Confirmation::Ack(_)), "the broker refused a message");
        }
    }
    Ok(())
}
