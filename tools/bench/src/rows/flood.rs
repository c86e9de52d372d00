//! What ten customers feel of a flood: `POST /orders` beside 200 half-open connections and 1,000 refused logins a second.

use std::time::Duration;

use anyhow::Result;
use catalogue::Service;
use local::Kind;
use testkit::flood::{Flood, Outcome as Flooded};

use crate::{
    instance::Instance,
    load::{Outcome, Target},
    process,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

const CUSTOMERS: usize = 10;
const QUIET: Duration = Duration::from_secs(20);
const FLOODED: Duration = Duration::from_secs(60);

/// The results of a round.
struct Round {
    quiet: Outcome,
    flooded: Outcome,
    flood: Flooded,
    /// The peak of resident memory so far, in MiB.
    memory: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    // The limits of one address are what protects.
    let limits = [("LOGIN_BURST", "500"), ("LOGINS_PER_SECOND", "50")];
    let shop = Instance::start(&testbed, Service::ShopApi, &limits).await?;
    let target = Target::new_order(shop.address, customer.token());
    let rounds = repeat(rounds, async || {
        let quiet = target.load(CUSTOMERS, QUIET).await?;
        let flood = Flood::start(&format!("http://{}", shop.address));
        let flooded = target.load(CUSTOMERS, FLOODED).await?;
        let flood = flood.stop().await;
        let memory = process::memory(shop.pid()?, "VmHWM")?;
        say(format!("  quiet {quiet}; flooded {flooded}; {flood:?}; {memory:.0} MiB"));
        Ok(Round { quiet, flooded, flood, memory })
    })
    .await?;
    shop.stop().await?;
    testbed.stop()?;
    Ok(rows(&rounds))
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let quiet = Spread::of(rounds, |round| round.quiet.percentile(99.0));
    let flooded = Spread::of(rounds, |round| round.flooded.percentile(99.0));
    let ratio = Spread::of(rounds, |round| round.flooded.percentile(99.0) / round.quiet.percentile(99.0));
    let memory = Spread::of(rounds, |round| round.memory);
    let seconds = FLOODED.as_secs_f64();
    let logins = Spread::of(rounds, |round| (round.flood.refused + round.flood.throttled) as f64 / seconds);
    vec![
        Row {
            what: format!(
                "`POST /orders` of {CUSTOMERS} customers beside 200 half-open connections and {:.0} refused logins a second: p99",
                logins.median
            ),
            measured: format!("{:.1} ms", flooded.median),
            against: format!("without them: {:.1} ms", quiet.median),
            figure: format!("{ratio}"),
            goal: Goal::at_most(2.0, "", ratio.median),
        },
        Row {
            what: "the same: memory of the shop at most".to_owned(),
            measured: format!("{memory:.0} MiB"),
            against: String::new(),
            figure: format!("{:.0}", memory.most),
            goal: Goal::at_most(160.0, " MiB", memory.most),
        },
    ]
}
