//! The lists that people reload, and `POST /orders`, with more and more orders in the database.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use testkit::Client;
use local::Kind;

use super::{
    ROUNDS,
    plot::{Across, Curve, Panel, Plot},
};
use crate::{
    customer,
    filled::{CONNECTIONS, Filled, LISTS, Tables},
    load, say,
    stage::Stage,
};

const ACROSS: Across = Across { what: "orders in the database", places: &[1_000, 10_000, 100_000, 1_000_000] };
const TIME: Duration = Duration::from_secs(4);

pub(super) async fn measure() -> Result<Plot> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let names = [LISTS[0].what, LISTS[1].what, "shop, a new order"];
    let [mut half, mut slow] = [(); 2].map(|()| names.map(|name| Curve::new(name, ACROSS)));
    for (place, orders) in ACROSS.places.iter().enumerate() {
        let [mes, shop] =
            [Filled::with(&stage, Tables::Mes, *orders).await?, Filled::with(&stage, Tables::Shop, *orders).await?];
        let mes_api = mes.serve(&stage, "mes-api").await?;
        let crm_api = shop.serve(&stage, "crm-api").await?;
        let shop_api = shop.serve(&stage, "shop-api").await?;
        // The new orders come last: they make the database larger.
        let measured = [
            (mes_api.address, mes.first_page(&stage, &mes_api, &LISTS[0]).await?, 200),
            (crm_api.address, shop.first_page(&stage, &crm_api, &LISTS[1]).await?, 200),
            (shop_api.address, new_order(shop_api.address).await, 201),
        ];
        for (which, (address, request, status)) in measured.iter().enumerate() {
            // The first round warms everything up.
            for round in 0..=ROUNDS {
                let outcome = load::run(*address, request, *status, CONNECTIONS, TIME).await?;
                let (p50, p99) = (outcome.percentile(50.0), outcome.percentile(99.0));
                say(format_args!("  {orders} orders, {}: p50 {p50:.2} ms, p99 {p99:.2} ms", names[which]));
                if round > 0 {
                    half[which].add(place, p50);
                    slow[which].add(place, p99);
                }
            }
        }
        for service in [mes_api, crm_api, shop_api] {
            service.stop().await?;
        }
        mes.drop().await?;
        shop.drop().await?;
    }
    stage.stop().await?;
    Ok(Plot {
        title: format!("Durations by orders in the database, {CONNECTIONS} connections"),
        across: ACROSS,
        panels: vec![
            Panel { what: "p50, ms", logarithmic: false, curves: half.into() },
            Panel { what: "p99, ms", logarithmic: false, curves: slow.into() },
        ],
    })
}

/// A new customer's request.
async fn new_order(shop: SocketAddr) -> Vec<u8> {
    let customer = Client::new(&format!("http://{shop}")).register("growth", "one ring more and one more").await;
    customer::new_order(customer.token())
}
