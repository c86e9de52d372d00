//! Lists: the first page out of many orders against the same page out of few.

use std::time::Duration;

use anyhow::Result;
use local::Kind;

use crate::{
    dataset::{CONNECTIONS, Dataset, LISTS, List},
    load::Outcome,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

const FEW: u64 = 1_000;
const TIME: Duration = Duration::from_secs(5);

/// The outcomes of one round.
struct Round {
    few: Outcome,
    many: Outcome,
}

/// `many` orders against few.
pub(super) async fn measure(rounds: usize, many: u64) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let mut rows = Vec::new();
    for list in LISTS {
        say(format_args!("  {}", list.what));
        let few = Dataset::start(&testbed, list, FEW).await?;
        let large = Dataset::start(&testbed, list, many).await?;
        let measured = repeat(rounds, async || Ok(Round { few: load(&few).await?, many: load(&large).await? })).await?;
        rows.extend([50.0, 99.0].map(|percent| row(list, many, percent, &measured)));
        few.remove().await?;
        large.remove().await?;
    }
    testbed.stop()?;
    Ok(rows)
}

async fn load(dataset: &Dataset) -> Result<Outcome> {
    let outcome = dataset.target.load(CONNECTIONS, TIME).await?;
    say(format_args!("    {outcome}"));
    Ok(outcome)
}

fn row(list: List, orders: u64, percent: f64, rounds: &[Round]) -> Row {
    let few = |round: &Round| round.few.percentile(percent);
    let many = |round: &Round| round.many.percentile(percent);
    let ratio = Spread::of(rounds, |round| many(round) / few(round));
    Row {
        what: format!("`GET {}`, {orders} orders: p{percent}", list.path),
        measured: format!("{:.2} ms", Spread::of(rounds, many)),
        against: format!("{FEW} orders: {:.2} ms", Spread::of(rounds, few)),
        figure: format!("{ratio:.2}"),
        goal: Goal::at_most(1.5, "", ratio.median),
    }
}
