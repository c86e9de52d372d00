//! Lists and `POST /orders`, with more and more orders in the database.

use std::time::Duration;

use anyhow::Result;
use catalogue::Service;
use local::Kind;
use testkit::Client;

use super::plot::{Axis, Curve, Panel, Plot, ROUNDS};
use crate::{
    dataset::{CONNECTIONS, Dataset, LISTS},
    load::Target,
    progress::say,
    rounds::repeat,
    table::Spread,
    testbed::Testbed,
};

const AXIS: Axis = Axis { name: "orders in the database", values: &[1_000, 10_000, 100_000, 1_000_000] };
const TIME: Duration = Duration::from_secs(4);

pub(super) async fn measure() -> Result<Plot> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let names = [LISTS[0].what, LISTS[1].what, "shop, a new order"];
    let [mut p50, mut p99] = [(); 2].map(|()| names.map(|name| Curve { name, points: Vec::new() }));
    for orders in AXIS.values {
        let mes = Dataset::start(&testbed, LISTS[0], *orders).await?;
        let crm = Dataset::start(&testbed, LISTS[1], *orders).await?;
        let shop = crm.start_further(&testbed, Service::ShopApi).await?;
        let customer = Client::new(&format!("http://{}", shop.address));
        let customer = customer.register("growth", "one ring more and one more").await;
        // The new orders come last: they make the database larger.
        let targets = [&mes.target, &crm.target, &Target::new_order(shop.address, customer.token())];
        for (at, target) in targets.into_iter().enumerate() {
            let outcomes = repeat(ROUNDS, async || {
                let outcome = target.load(CONNECTIONS, TIME).await?;
                say(format_args!("  {orders} orders, {}: {outcome}", names[at]));
                Ok(outcome)
            });
            let outcomes = outcomes.await?;
            p50[at].points.push(Spread::of(&outcomes, |outcome| outcome.percentile(50.0)));
            p99[at].points.push(Spread::of(&outcomes, |outcome| outcome.percentile(99.0)));
        }
        shop.stop().await?;
        mes.remove().await?;
        crm.remove().await?;
    }
    testbed.stop()?;
    Ok(Plot {
        title: format!("Durations by orders in the database, {CONNECTIONS} connections"),
        axis: AXIS,
        panels: vec![
            Panel { what: "p50, ms", logarithmic: false, curves: p50.into() },
            Panel { what: "p99, ms", logarithmic: false, curves: p99.into() },
        ],
    })
}
