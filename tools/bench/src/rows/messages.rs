//! From a submitted order to the price request that the MES has consumed: against the broker's own rate of confirms, and
//! whether the outbox stays short while orders keep coming.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use testkit::eventually_within;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use local::Kind;
use sqlx::{Connection as _, PgConnection};
use tokio::time::MissedTickBehavior;

use crate::{
    say,
    stage::Stage,
    submitted::Pattern,
    table::{Row, Spread},
};

/// So many messages a relay publishes together unless told otherwise.
const BATCH: u64 = 200;
/// Orders in a round, and messages that the broker alone confirms.
const ORDERS: u64 = 20_000;
/// About as long as the message of a submitted order.
const MESSAGE_BYTES: usize = 900;
/// Orders a second that the conversation has to keep up with.
const SUSTAINED: u64 = 2_000;
const SUSTAINED_FOR: Duration = Duration::from_secs(20);
const PERSISTENT: u8 = 2;
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    // The conversation is measured, not the prices, which cost what the models cost.
    let stage = Stage::with(&[Kind::Services], &[("PRICE_WORKERS", "0")]).await?;
    let pattern = Pattern::order(&stage).await?;
    let broker = Broker::connect(stage.file().amqp.as_deref().context("RabbitMQ runs")?).await?;
    let mut tables = Tables::connect(&stage).await?;

    let (mut confirmed, mut consumed) = (Vec::new(), Vec::new());
    // The first round warms everything up.
    for round in 0..=rounds {
        let alone = broker.confirm().await?;
        let rate = tables.drain(&pattern).await?;
        say(format!("  the broker alone {alone:.0}/s; orders {rate:.0}/s"));
        if round > 0 {
            confirmed.push(alone);
            consumed.push(rate);
        }
    }
    let (came_in, longest) = tables.sustain(&pattern).await?;
    stage.stop().await?;

    let ratio = Spread::of_ratios(&consumed, &confirmed);
    let rate = Spread::of(consumed);
    let what = "submitted order → price request consumed in the MES".to_owned();
    Ok(vec![
        Row {
            what: what.clone(),
            measured: format!("{rate:.0} a second"),
            against: format!("the broker's confirms, {BATCH} at a time: {:.0} a second", Spread::of(confirmed)),
            figure: format!("{ratio:.2}"),
            goal: "≥ 0.5",
            reached: ratio.median >= 0.5,
        },
        Row {
            what,
            measured: format!("{rate:.0} a second"),
            against: String::new(),
            figure: format!("{:.0}", rate.median),
            goal: "≥ 2,000 a second",
            reached: rate.median >= 2_000.0,
        },
        Row {
            what: format!("the same, {SUSTAINED} orders a second for {} s", SUSTAINED_FOR.as_secs()),
            measured: format!("{came_in:.0} a second came in; outbox: at most {longest} rows"),
            against: "what comes in within a second".to_owned(),
            figure: format!("{:.2}", longest as f64 / SUSTAINED as f64),
            goal: "≤ 1: it doesn't grow",
            reached: u64::try_from(longest)? <= SUSTAINED && came_in > 0.95 * SUSTAINED as f64,
        },
    ])
}

/// The tables at both ends.
struct Tables {
    shop: PgConnection,
    mes: PgConnection,
}

impl Tables {
    async fn connect(stage: &Stage) -> Result<Self> {
        let (shop, mes) = (stage.shop_database()?, stage.mes_database()?);
        Ok(Self { shop: PgConnection::connect(shop).await?, mes: PgConnection::connect(mes).await? })
    }

    /// How many orders a second go through when all of them are there at once.
    async fn drain(&mut self, pattern: &Pattern) -> Result<f64> {
        let (before, _) = consumed(&mut self.mes).await?;
        let begun = Instant::now();
        pattern.insert(&mut self.shop, ORDERS).await?;
        let inserted: time::OffsetDateTime =
            sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut self.shop).await?;
        say(format!("  inserted in {:.1} s", begun.elapsed().as_secs_f64()));
        let last = self.all_consumed(before + i64::try_from(ORDERS)?).await;
        Ok(ORDERS as f64 / (last - inserted).as_seconds_f64())
    }

    /// Lets orders come in steadily; gives how many came in a second, which busy processors may hold back, and how long the
    /// outbox ever was.
    async fn sustain(&mut self, pattern: &Pattern) -> Result<(f64, i64)> {
        const A_SECOND: u64 = 10;
        let (before, _) = consumed(&mut self.mes).await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(A_SECOND)?);
        // What is late is made up for: the rate counts.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut count, mut longest) = (Instant::now(), 0, 0);
        while begun.elapsed() < SUSTAINED_FOR {
            tick.tick().await;
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut self.shop).await?;
            longest = longest.max(waiting);
            pattern.insert(&mut self.shop, SUSTAINED / A_SECOND).await?;
            count += SUSTAINED / A_SECOND;
        }
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        self.all_consumed(before + i64::try_from(count)?).await;
        Ok((rate, longest))
    }

    /// Waits until the MES has consumed so many messages; gives when it had the last one.
    async fn all_consumed(&mut self, count: i64) -> time::OffsetDateTime {
        eventually_within(PATIENCE, "all orders to be in the MES", async || {
            let (now, last) = consumed(&mut self.mes).await.map_err(|error| error.to_string())?;
            last.filter(|_| now >= count).ok_or_else(|| format!("{now} of {count} are"))
        })
        .await
    }
}

/// How many messages the MES has consumed, and when the last one.
async fn consumed(mes: &mut PgConnection) -> Result<(i64, Option<time::OffsetDateTime>)> {
    Ok(sqlx::query_as("SELECT count(*), max(consumed_at) FROM inbox").fetch_one(mes).await?)
}

/// The broker with a queue of the same kind as ours that nobody reads.
struct Broker {
    _connection: Connection,
    channel: Channel,
}

impl Broker {
    const QUEUE: &str = "bench";

    async fn connect(url: &str) -> Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { _connection: connection, channel })
    }

    /// How many messages a second the broker confirms, when they are published batch by batch.
    async fn confirm(&self) -> Result<f64> {
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(Self::QUEUE.into(), durable, quorum).await?;
        let body = vec![b'x'; MESSAGE_BYTES];
        let begun = Instant::now();
        for _ in 0..ORDERS / BATCH {
            let mut confirms = Vec::new();
            for _ in 0..BATCH {
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
                let sent = self.channel.basic_publish("".into(), Self::QUEUE.into(), options, &body, properties);
                confirms.push(sent.await?);
            }
            for confirm in confirms {
                let confirmation = confirm.await?;
                ensure!(matches!(confirmation, Confirmation::Ack(_)), "the broker refused a message");
            }
        }
        let rate = ORDERS as f64 / begun.elapsed().as_secs_f64();
        self.channel.queue_delete(Self::QUEUE.into(), QueueDeleteOptions::default()).await?;
        Ok(rate)
    }
}
