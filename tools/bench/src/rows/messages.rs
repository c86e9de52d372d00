//! From a submitted order to the price request that the MES has consumed: the rate against the floor of databases and broker,
//! and the length of the outbox under a steady load.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;
use local::Kind;
use sqlx::{Connection as _, PgConnection};
use testkit::eventually_within;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

use crate::{
    message_floor::MessageFloor,
    order_template::OrderTemplate,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// Orders in a round.
const ORDERS: u64 = 20_000;
/// A load that the outbox has to keep up with.
const BURST: Load = Load { rate: 2_000, time: Duration::from_secs(20) };
/// As many orders as an hour with 50 a second has, for longer than two naps of the autovacuum launcher.
const HOUR: Load = Load { rate: 1_000, time: Duration::from_secs(180) };
const TICKS_A_SECOND: u32 = 10;
const TIMEOUT: Duration = Duration::from_secs(300);

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    // Prices are off: they cost what the models cost.
    let testbed = Testbed::start(&[Kind::Services], &[("PRICE_WORKERS", "0")])?;
    let databases = testbed.databases()?;
    let mut pipeline = Pipeline {
        template: OrderTemplate::create(&testbed).await?,
        shop: PgConnection::connect(&databases.shop).await?,
        mes: PgConnection::connect(&databases.mes).await?,
    };
    // The first order in the MES is the pattern of the others.
    pipeline.drain(1).await?;
    let mut floor = MessageFloor::prepare(&testbed).await?;
    let rates = repeat(rounds, async || {
        let least = floor.measure(&pipeline.template, ORDERS).await?;
        let consumed = pipeline.drain(ORDERS).await?;
        say(format!("  the floor {least:.0}/s; orders {consumed:.0}/s"));
        Ok((consumed, least))
    });
    let rates = rates.await?;
    let burst = pipeline.load_steadily(BURST).await?;
    let hour = pipeline.load_steadily(HOUR).await?;
    testbed.stop()?;

    let ratio = Spread::of(&rates, |(consumed, floor)| consumed / floor);
    let (rate, floor) = (Spread::of(&rates, |rates| rates.0), Spread::of(&rates, |rates| rates.1));
    let what = "submitted order → price request consumed in the MES".to_owned();
    Ok(vec![
        Row {
            what: what.clone(),
            measured: format!("{rate:.0} a second"),
            against: format!("the statements and confirms alone, at once: {floor:.0} a second"),
            figure: format!("{ratio:.2}"),
            goal: Goal::at_least(0.6, "", ratio.median),
        },
        Row {
            what,
            measured: format!("{rate:.0} a second"),
            against: String::new(),
            figure: format!("{:.0}", rate.median),
            goal: Goal { text: "≥ 2,000 a second".to_owned(), is_reached: rate.median >= 2_000.0 },
        },
        Row {
            what: format!("the same, {BURST}"),
            measured: format!("{:.0} a second came in; outbox: at most {} rows", burst.rate, burst.longest),
            against: "what comes in within a second".to_owned(),
            figure: format!("{:.2}", burst.longest as f64 / BURST.rate as f64),
            goal: Goal {
                text: "≤ 1: it doesn't grow".to_owned(),
                is_reached: burst.longest <= i64::try_from(BURST.rate)? && burst.rate > 0.95 * BURST.rate as f64,
            },
        },
        Row {
            what: format!("the same, {HOUR}: outboxes and journals on the disk at the end"),
            measured: format!("{:.0} MB, {:.0} orders a second came in", hour.at_end / 1e6, hour.rate),
            against: format!("at half of the time: {:.0} MB", hour.at_half / 1e6),
            figure: format!("{:.2}", hour.at_end / hour.at_half),
            goal: Goal::at_most(1.2, "", hour.at_end / hour.at_half),
        },
    ])
}

/// Orders at a steady rate.
#[derive(Clone, Copy)]
struct Load {
    /// Orders a second.
    rate: u64,
    time: Duration,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} orders a second for {} s", self.rate, self.time.as_secs())
    }
}

/// What a steady load did.
struct Steady {
    /// Orders a second that came in.
    rate: f64,
    /// Messages in the outbox, at most.
    longest: i64,
    /// Bytes of the tables whose rows come and go, and of their indices.
    at_half: f64,
    at_end: f64,
}

/// The way from the shop's database to the MES's.
struct Pipeline {
    template: OrderTemplate,
    shop: PgConnection,
    mes: PgConnection,
}

impl Pipeline {
    /// Inserts orders at once; returns the orders a second that the MES consumed.
    async fn drain(&mut self, orders: u64) -> Result<f64> {
        let (before, _) = self.consumed().await?;
        let begun = Instant::now();
        self.template.insert(&mut self.shop, orders).await?;
        let inserted: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut self.shop).await?;
        say(format!("  inserted in {:.1} s", begun.elapsed().as_secs_f64()));
        let last = self.wait_for(before + i64::try_from(orders)?).await;
        Ok(orders as f64 / (last - inserted).as_seconds_f64())
    }

    /// Inserts orders at a steady rate, which busy processors may lower.
    async fn load_steadily(&mut self, load: Load) -> Result<Steady> {
        let (before, _) = self.consumed().await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1) / TICKS_A_SECOND);
        // Missed ticks are made up for, to keep the rate.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut count, mut longest, mut at_half) = (Instant::now(), 0, 0, None);
        while begun.elapsed() < load.time {
            tick.tick().await;
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut self.shop).await?;
            longest = longest.max(waiting);
            let orders = load.rate / u64::from(TICKS_A_SECOND);
            self.template.insert(&mut self.shop, orders).await?;
            count += orders;
            if at_half.is_none() && begun.elapsed() > load.time / 2 {
                at_half = Some(self.busy_tables().await?);
            }
        }
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        self.wait_for(before + i64::try_from(count)?).await;
        let at_end = self.busy_tables().await?;
        Ok(Steady { rate, longest, at_half: at_half.unwrap_or(f64::NAN), at_end })
    }

    /// The bytes of the tables whose rows come and go.
    async fn busy_tables(&mut self) -> Result<f64> {
        const BYTES: &str = "SELECT pg_total_relation_size('outbox') + pg_total_relation_size('journal')";
        let shop: i64 = sqlx::query_scalar(BYTES).fetch_one(&mut self.shop).await?;
        let mes: i64 = sqlx::query_scalar(BYTES).fetch_one(&mut self.mes).await?;
        Ok((shop + mes) as f64)
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
