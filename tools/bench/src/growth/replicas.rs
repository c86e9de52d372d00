//! From submitted orders to their prices, with more and more replicas of CRM and MES on the same machine.

use std::time::{Duration, Instant};

use anyhow::Result;
use catalogue::Service;
use futures::future::try_join;
use local::Kind;
use sqlx::{Connection as _, PgConnection};

use super::plot::{Axis, Curve, Panel, Plot, ROUNDS};
use crate::{instance::Instance, order_template::OrderTemplate, progress::say, rounds::repeat, testbed::Testbed};

const AXIS: Axis = Axis { name: "replicas of crm-api and mes-api each", values: &[1, 2, 3, 4] };
const ORDERS: u64 = 5_000;
const TIMEOUT: Duration = Duration::from_secs(300);
/// Orders that the MES has consumed.
const CONSUMED: &str = "SELECT count(*) FROM orders";
/// Orders that the CRM has a price for.
const PRICED: &str = "SELECT count(*) FROM orders WHERE status = 'PRICE_CALCULATED'";

pub(super) async fn measure() -> Result<Plot> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let template = OrderTemplate::create(&testbed).await?;
    let databases = testbed.databases()?;
    let mut shop = PgConnection::connect(&databases.shop).await?;
    let mut inserted = 0;
    let rounds = repeat(ROUNDS, async || {
        let mut rates = Vec::new();
        for replicas in AXIS.values {
            let mut further = Vec::new();
            for _ in 1..*replicas {
                for service in [Service::CrmApi, Service::MesApi] {
                    further.push(Instance::start(&testbed, service, &[]).await?);
                }
            }
            template.insert(&mut shop, ORDERS).await?;
            inserted += ORDERS;
            let begun = Instant::now();
            let consumed = wait_for_count(&databases.mes, CONSUMED, inserted);
            let priced = wait_for_count(&databases.shop, PRICED, inserted);
            let ends = try_join(consumed, priced).await?;
            let [consumed, priced] = [ends.0, ends.1].map(|end| ORDERS as f64 / (end - begun).as_secs_f64());
            say(format_args!("  {replicas} replicas: {consumed:.0}/s in the MES, {priced:.0}/s priced"));
            rates.push((consumed, priced));
            for replica in further {
                replica.stop().await?;
            }
        }
        Ok(rates)
    })
    .await?;
    shop.close().await?;
    testbed.stop()?;
    let consumed = Curve::of("in the MES", &rounds, |rates| rates.0);
    let priced = Curve::of("with a price in the CRM", &rounds, |rates| rates.1);
    Ok(Plot {
        title: format!("{ORDERS} submitted orders by replicas"),
        axis: AXIS,
        panels: vec![Panel { what: "orders a second", logarithmic: false, curves: vec![consumed, priced] }],
    })
}

/// Waits until a query counts this many orders; returns when it did.
async fn wait_for_count(database: &str, query: &'static str, orders: u64) -> Result<Instant> {
    let mut database = PgConnection::connect(database).await?;
    let counted = testkit::eventually_within(TIMEOUT, "all orders to be counted", async || {
        let found: i64 = sqlx::query_scalar(query).fetch_one(&mut database).await.map_err(|error| error.to_string())?;
        if u64::try_from(found) == Ok(orders) { Ok(Instant::now()) } else { Err(format!("{found} of {orders}")) }
    });
    Ok(counted.await)
}
