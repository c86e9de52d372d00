//! What metrics cost: `POST /orders` and memory of a shop that measures, counts and is scraped, against one without metrics.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use catalogue::Service;
use local::{Kind, Samples};

use crate::{
    instance::Instance,
    load::{CONNECTIONS, Target},
    process,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// A round is this many turns of each, short ones, so that a change of the machine's speed affects both alike.
const TURNS: usize = 20;
const TURN: Duration = Duration::from_secs(1);

/// The results of a round.
struct Round {
    /// Responses a second.
    with: f64,
    without: f64,
    /// Resident memory that the one with metrics has more, in MiB.
    more_memory: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    // The services of the testbed have no metrics, so the one that is measured counts what the database holds.
    let testbed = Testbed::start(&[Kind::Services], &[("METRICS_ADDR", "")])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    let with = Instance::start(&testbed, Service::ShopApi, &[("METRICS_ADDR", "127.0.0.1:0")]).await?;
    let without = Instance::start(&testbed, Service::ShopApi, &[("METRICS_ADDR", "")]).await?;
    let [target, target_without] = [&with, &without].map(|shop| Target::new_order(shop.address, customer.token()));
    let url = metrics_of(&with.log)?;
    let rounds = repeat(rounds, async || {
        let (mut rate_with, mut rate_without) = (0.0, 0.0);
        for _ in 0..TURNS {
            rate_without += target_without.load(CONNECTIONS, TURN).await?.rate / TURNS as f64;
            // Once in a turn is more often than any Prometheus scrapes.
            let (outcome, scraped) = tokio::join!(target.load(CONNECTIONS, TURN), Samples::scrape(&url));
            scraped?;
            rate_with += outcome?.rate / TURNS as f64;
        }
        let more_memory = process::memory(with.pid()?, "VmRSS")? - process::memory(without.pid()?, "VmRSS")?;
        say(format!("  with metrics {rate_with:.0}/s; without {rate_without:.0}/s; {more_memory:.1} MiB more"));
        Ok(Round { with: rate_with, without: rate_without, more_memory })
    })
    .await?;
    with.stop().await?;
    without.stop().await?;
    testbed.stop()?;
    Ok(rows(&rounds))
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let throughput = Spread::of(rounds, |round| round.with / round.without);
    let memory = Spread::of(rounds, |round| round.more_memory);
    let what = format!("`POST /orders` with metrics, scraped every second, {CONNECTIONS} connections");
    vec![
        Row {
            what: what.clone(),
            measured: format!("{:.0} a second", Spread::of(rounds, |round| round.with)),
            against: format!("metrics off: {:.0} a second", Spread::of(rounds, |round| round.without)),
            figure: format!("{throughput:.3}"),
            goal: Goal::at_least(0.99, "", throughput.median),
        },
        Row {
            what: format!("{what}: resident memory"),
            measured: format!("{memory:.1} MiB more"),
            against: "metrics off".to_owned(),
            figure: format!("{:.1}", memory.median),
            goal: Goal::at_most(2.0, " MiB", memory.median),
        },
    ]
}

/// Where a service says in its log that its metrics are.
fn metrics_of(log: &Path) -> Result<String> {
    let records = fs::read_to_string(log)?;
    let (_, after) = records.split_once("metrics on ").context("the service has no metrics")?;
    let (address, _) = after.split_once(',').context("the service doesn't say where")?;
    Ok(format!("http://{address}/metrics"))
}
