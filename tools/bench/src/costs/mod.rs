//! What one order costs in each part from its creation to its delivery, and what that means for many a second.

mod index;
mod lives;
mod scaling;
mod snapshot;

use std::time::Instant;

use anyhow::{Context as _, Result};
use catalogue::Service;
use local::Kind;
use reqwest::Method;
use testkit::{eventually, search::Search};

use crate::{progress::say, records::RECORDS, testbed::Testbed};
use lives::Lives;
use scaling::Costs;
use snapshot::Snapshot;

/// Orders before the measured ones, so that plans, caches and pages are there.
const WARM_UP: usize = 200;
const ORDERS: usize = 2_000;

/// The system's parts, as the runner calls them.
const PARTS: [&str; 7] = [
    "postgres",
    "rabbitmq",
    "elasticsearch",
    "shipper",
    Service::ShopApi.name(),
    Service::CrmApi.name(),
    Service::MesApi.name(),
];

/// Measures the costs of an order, and prints them and what so many a second would need, as tables in Markdown.
pub(crate) async fn print() -> Result<()> {
    let testbed = Testbed::start(&[Kind::Shipper, Kind::Services], &[])?;
    let mut lives = Lives::prepare(&testbed).await?;
    lives.live(WARM_UP).await?;
    shipped(&testbed).await?;

    let before = Snapshot::take(&testbed).await?;
    let begun = Instant::now();
    let orders = lives.live(ORDERS).await?;
    let rate = ORDERS as f64 / begun.elapsed().as_secs_f64();
    shipped(&testbed).await?;
    let after = Snapshot::take(&testbed).await?;
    let [default, compressed] = index::by_codec(&administrator(&testbed)?, &orders).await?;
    testbed.stop()?;

    say(format_args!("  {rate:.0} whole lives a second"));
    say(format_args!("  a record in Elasticsearch: {compressed}; by the default codec {default}"));
    let costs = Costs::of(&before, &after, ORDERS as f64, compressed.bytes);
    println!("{}\n\n{}", costs.table(), costs.needs(&[100.0, 1_000.0, 10_000.0]));
    Ok(())
}

/// Waits until Elasticsearch has every line of the services' logs.
async fn shipped(testbed: &Testbed) -> Result<()> {
    let administrator = administrator(testbed)?;
    let counted = eventually("all lines to be in Elasticsearch", async || {
        let lines = snapshot::log(testbed).map_err(|error| format!("{error:#}"))?.lines;
        administrator.call(Method::POST, &format!("{RECORDS}/_refresh"), None).await;
        let (_, count) = administrator.call(Method::GET, &format!("{RECORDS}/_count"), None).await;
        if count["count"].as_u64() == Some(lines) { Ok(()) } else { Err(format!("{count} of {lines}")) }
    });
    counted.await;
    Ok(())
}

fn administrator(testbed: &Testbed) -> Result<Search> {
    let file = testbed.file();
    let address = file.elasticsearch.as_deref().context("Elasticsearch doesn't run")?;
    Ok(Search::new(address, file.accounts.administrator.as_ref().context("it has no administrator")?))
}
