//! `POST /orders` over more and more connections.

use std::time::Duration;

use anyhow::Result;
use catalogue::Service;
use local::Kind;

use super::plot::{Axis, Curve, Panel, Plot, ROUNDS};
use crate::{
    instance::Instance,
    load::{Outcome, Target},
    progress::say,
    rounds::repeat,
    testbed::Testbed,
};

const AXIS: Axis = Axis { name: "connections", values: &[1, 2, 4, 8, 16, 32, 64, 128, 256] };
const TIME: Duration = Duration::from_secs(5);

pub(super) async fn measure() -> Result<Plot> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    let shop = Instance::start(&testbed, Service::ShopApi, &[]).await?;
    let target = Target::new_order(shop.address, customer.token());
    let rounds = repeat(ROUNDS, async || {
        let mut outcomes = Vec::new();
        for connections in AXIS.values {
            let outcome = target.load(usize::try_from(*connections)?, TIME).await?;
            say(format_args!("  {connections} connections: {outcome}"));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })
    .await?;
    shop.stop().await?;
    testbed.stop()?;
    let curve = |name, figure: fn(&Outcome) -> f64| Curve::of(name, &rounds, figure);
    let rate = curve("orders", |outcome| outcome.rate);
    let p50 = curve("half of them", |outcome| outcome.percentile(50.0));
    let p99 = curve("p99", |outcome| outcome.percentile(99.0));
    Ok(Plot {
        title: "POST /orders by connections".to_owned(),
        axis: AXIS,
        panels: vec![
            Panel { what: "orders a second", logarithmic: false, curves: vec![rate] },
            Panel { what: "duration, ms", logarithmic: true, curves: vec![p50, p99] },
        ],
    })
}
