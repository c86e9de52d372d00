//! From a submitted order to the price request that the MES has consumed: the rate against the broker's own rate of
//! confirms, and the length of the outbox under a steady load.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use local::Kind;
use sqlx::{Connection as _, PgConnection};
use testkit::eventually_within;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

use crate::{
    order_template::OrderTemplate,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// Messages in a batch, as many as a relay publishes by default.
const BATCH: u64 = 200;
/// Orders in a round, and messages that the broker alone confirms.
const ORDERS: u64 = 20_000;
/// The approximate size of the message of a submitted order.
const MESSAGE_BYTES: usize = 900;
/// Orders a second of the steady load.
const STEADY_RATE: u64 = 2_000;
const STEADY_TIME: Duration = Duration::from_secs(20);
const TICKS_A_SECOND: u32 = 10;
const PERSISTENT: u8 = 2;
const TIMEOUT: Duration = Duration::from_secs(300);

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    // Prices are off: they cost what the models cost.
    let testbed = Testbed::start(&[Kind::Services], &[("PRICE_WORKERS", "0")])?;
    let amqp = testbed.file().amqp.as_deref().context("RabbitMQ doesn't run")?;
    let broker = Connection::connect(amqp, ConnectionProperties::default()).await?;
    let channel = broker.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let databases = testbed.databases()?;
    let mut pipeline = Pipeline {
        template: OrderTemplate::create(&testbed).await?,
        shop: PgConnection::connect(&databases.shop).await?,
        mes: PgConnection::connect(&databases.mes).await?,
    };
    let rates = repeat(rounds, async || {
        let confirmed = broker_rate(&channel).await?;
        let consumed = pipeline.drain().await?;
        say(format!("  the broker alone {confirmed:.0}/s; orders {consumed:.0}/s"));
        Ok((consumed, confirmed))
    });
    let rates = rates.await?;
    let (came_in, longest) = pipeline.load_steadily().await?;
    testbed.stop()?;

    let ratio = Spread::of(&rates, |(consumed, confirmed)| consumed / confirmed);
    let (rate, confirmed) = (Spread::of(&rates, |rates| rates.0), Spread::of(&rates, |rates| rates.1));
    let what = "submitted order → price request consumed in the MES".to_owned();
    Ok(vec![
        Row {
            what: what.clone(),
            measured: format!("{rate:.0} a second"),
            against: format!("the broker's confirms, {BATCH} at a time: {confirmed:.0} a second"),
            figure: format!("{ratio:.2}"),
            goal: Goal::at_least(0.5, "", ratio.median),
        },
        Row {
            what,
            measured: format!("{rate:.0} a second"),
            against: String::new(),
            figure: format!("{:.0}", rate.median),
            goal: Goal { text: "≥ 2,000 a second".to_owned(), is_reached: rate.median >= 2_000.0 },
        },
        Row {
            what: format!("the same, {STEADY_RATE} orders a second for {} s", STEADY_TIME.as_secs()),
            measured: format!("{came_in:.0} a second came in; outbox: at most {longest} rows"),
            against: "what comes in within a second".to_owned(),
            figure: format!("{:.2}", longest as f64 / STEADY_RATE as f64),
            goal: Goal {
                text: "≤ 1: it doesn't grow".to_owned(),
                is_reached: u64::try_from(longest)? <= STEADY_RATE && came_in > 0.95 * STEADY_RATE as f64,
            },
        },
    ])
}

/// The way from the shop's database to the MES's.
struct Pipeline {
    template: OrderTemplate,
    shop: PgConnection,
    mes: PgConnection,
}

impl Pipeline {
    /// Inserts the orders of a round at once; returns the orders a second that the MES consumed.
    async fn drain(&mut self) -> Result<f64> {
        let (before, _) = self.consumed().await?;
        let begun = Instant::now();
        self.template.insert(&mut self.shop, ORDERS).await?;
        let inserted: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut self.shop).await?;
        say(format!("  inserted in {:.1} s", begun.elapsed().as_secs_f64()));
        let last = self.wait_for(before + i64::try_from(ORDERS)?).await;
        Ok(ORDERS as f64 / (last - inserted).as_seconds_f64())
    }

    /// Inserts orders at a steady rate. Returns the rate, which busy processors may lower, and the longest outbox.
    async fn load_steadily(&mut self) -> Result<(f64, i64)> {
        let (before, _) = self.consumed().await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1) / TICKS_A_SECOND);
        // Missed ticks are made up for, to keep the rate.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut count, mut longest) = (Instant::now(), 0, 0);
        while begun.elapsed() < STEADY_TIME {
            tick.tick().await;
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut self.shop).await?;
            longest = longest.max(waiting);
            self.template.insert(&mut self.shop, STEADY_RATE / u64::from(TICKS_A_SECOND)).await?;
            count += STEADY_RATE / u64::from(TICKS_A_SECOND);
        }
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        self.wait_for(before + i64::try_from(count)?).await;
        Ok((rate, longest))
    }

    /// Waits until the MES has consumed this many messages; returns the time of the last one.
    async fn wait_for(&mut self, count: i64) -> OffsetDateTime {
        eventually_within(TIMEOUT, "all orders to be in the MES", async || {
            let (now, last) = self.consumed().await.map_err(|error| error.to_string())?;
            last.filter(|_| now >= count).ok_or_else(|| format!("{now} of {count} are"))
        })
        .await
    }

    /// The number of messages that the MES has consumed, and the time of the last one.
    async fn consumed(&mut self) -> Result<(i64, Option<OffsetDateTime>)> {
        Ok(sqlx::query_as("SELECT count(*), max(consumed_at) FROM inbox").fetch_one(&mut self.mes).await?)
    }
}

/// Publishes messages in batches to a queue of the services' kind; returns how many a second the broker confirms.
async fn broker_rate(channel: &Channel) -> Result<f64> {
    const QUEUE: &str = "bench";
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), durable, quorum).await?;
    let body = vec![b'x'; MESSAGE_BYTES];
    let begun = Instant::now();
    for _ in 0..ORDERS / BATCH {
        let mut confirms = Vec::new();
        for _ in 0..BATCH {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
            confirms.push(channel.basic_publish("".into(), QUEUE.into(), options, &body, properties).await?);
        }
        for confirm in confirms {
            ensure!(matches!(confirm.await?, Confirmation::Ack(_)), "the broker refused a message");
        }
    }
    let rate = ORDERS as f64 / begun.elapsed().as_secs_f64();
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    Ok(rate)
}
