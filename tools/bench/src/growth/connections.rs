//! `POST /orders` over more and more connections at the same time.

use std::time::Duration;

use anyhow::Result;
use local::Kind;

use super::{
    ROUNDS,
    plot::{Across, Curve, Panel, Plot},
};
use crate::{customer::Customer, instance::Service, load, say, testbed::Stage};

const ACROSS: Across = Across { what: "connections", places: &[1, 2, 4, 8, 16, 32, 64, 128, 256] };
const TIME: Duration = Duration::from_secs(5);

pub(super) async fn measure() -> Result<Plot> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let customer = Customer::register(&stage).await?;
    let shop = Service::start(stage.file(), "shop-api", &[], &stage.folder("logs-apart")?).await?;
    let [mut rate, mut half, mut slow] = ["orders", "half of them", "p99"].map(|name| Curve::new(name, ACROSS));
    // The first round warms everything up.
    for round in 0..=ROUNDS {
        for (place, connections) in ACROSS.places.iter().enumerate() {
            let connections = usize::try_from(*connections)?;
            let outcome = load::run(shop.address, &customer.new_order(), 201, connections, TIME).await?;
            let (p50, p99) = (outcome.percentile(50.0), outcome.percentile(99.0));
            say(format_args!("  {connections} connections: {:.0}/s, p50 {p50:.1} ms, p99 {p99:.1} ms", outcome.rate));
            if round > 0 {
                rate.add(place, outcome.rate);
                half.add(place, p50);
                slow.add(place, p99);
            }
        }
    }
    shop.stop().await?;
    stage.stop().await?;
    Ok(Plot {
        title: "POST /orders by connections".to_owned(),
        across: ACROSS,
        panels: vec![
            Panel { what: "orders a second", logarithmic: false, curves: vec![rate] },
            Panel { what: "duration, ms", logarithmic: true, curves: vec![half, slow] },
        ],
    })
}
