//! From submitted orders to their prices, with more and more replicas of CRM and MES on the same machine.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join;
use local::Kind;
use sqlx::{Connection as _, PgConnection};

use super::{
    ROUNDS,
    plot::{Across, Curve, Panel, Plot},
};
use crate::{say, service::Service, stage::Stage, submitted::Pattern};

const ACROSS: Across = Across { what: "replicas of crm-api and mes-api each", places: &[1, 2, 3, 4] };
const ORDERS: u64 = 5_000;
const PATIENCE: Duration = Duration::from_secs(300);
/// Orders that the MES has taken in.
const CONSUMED: &str = "SELECT count(*) FROM orders";
/// Orders that the CRM has a price for.
const PRICED: &str = "SELECT count(*) FROM orders WHERE status = 'PRICE_CALCULATED'";

pub(super) async fn measure() -> Result<Plot> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let pattern = Pattern::order(&stage).await?;
    let mut shop = PgConnection::connect(stage.shop_database()?).await?;
    let (mut consumed, mut priced) = (Curve::new("in the MES", ACROSS), Curve::new("with a price in the CRM", ACROSS));
    let mut all = 0;
    // The first round warms everything up.
    for round in 0..=ROUNDS {
        for (place, replicas) in ACROSS.places.iter().enumerate() {
            let further = further(&stage, *replicas).await?;
            pattern.insert(&mut shop, ORDERS).await?;
            all += ORDERS;
            let begun = Instant::now();
            let (taken, done) =
                try_join(until(stage.mes_database()?, CONSUMED, all), until(stage.shop_database()?, PRICED, all))
                    .await?;
            let rate = |end: Instant| ORDERS as f64 / (end - begun).as_secs_f64();
            say(format_args!("  {replicas} replicas: {:.0}/s in the MES, {:.0}/s priced", rate(taken), rate(done)));
            if round > 0 {
                consumed.add(place, rate(taken));
                priced.add(place, rate(done));
            }
            for replica in further {
                replica.stop().await?;
            }
        }
    }
    shop.close().await?;
    stage.stop().await?;
    Ok(Plot {
        title: format!("{ORDERS} submitted orders by replicas"),
        across: ACROSS,
        panels: vec![Panel { what: "orders a second", logarithmic: false, curves: vec![consumed, priced] }],
    })
}

/// Those beside the stage's own.
async fn further(stage: &Stage, replicas: u64) -> Result<Vec<Service>> {
    let logs = stage.folder("logs-apart")?;
    let mut started = Vec::new();
    for _ in 1..replicas {
        for service in ["crm-api", "mes-api"] {
            started.push(Service::start(stage.file(), service, &[], &logs).await?);
        }
    }
    Ok(started)
}

/// When so many orders are there.
async fn until(database: &str, count: &'static str, orders: u64) -> Result<Instant> {
    let mut database = PgConnection::connect(database).await?;
    let there = testkit::eventually_within(PATIENCE, "all orders to be there", async || {
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut database).await.map_err(|error| error.to_string())?;
        if u64::try_from(found) == Ok(orders) { Ok(Instant::now()) } else { Err(format!("{found} of {orders}")) }
    });
    Ok(there.await)
}
