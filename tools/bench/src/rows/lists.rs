//! The lists that people reload all day: a page out of very many orders against the same page out of few.

use std::time::Duration;

use anyhow::Result;
use local::Kind;

use crate::{
    dataset::{CONNECTIONS, Filled, LISTS, List},
    instance::Service,
    load::{self, Outcome},
    say,
    table::{Row, Spread},
    testbed::Stage,
};

const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
const TIME: Duration = Duration::from_secs(5);

/// The same list with so many orders.
struct Side {
    database: Filled,
    service: Service,
    request: Vec<u8>,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let mut rows = Vec::new();
    for list in &LISTS {
        say(format_args!("  {}", list.what));
        let (few, many) = (Side::new(&stage, list, FEW).await?, Side::new(&stage, list, MANY).await?);
        let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
        // The first round warms everything up.
        for round in 0..=rounds {
            let (few, many) = (few.load().await?, many.load().await?);
            if round > 0 {
                of_few.push(few);
                of_many.push(many);
            }
        }
        rows.extend([50.0, 99.0].map(|percent| row(list, percent, &of_many, &of_few)));
        few.end().await?;
        many.end().await?;
    }
    stage.stop().await?;
    Ok(rows)
}

fn row(list: &List, percent: f64, many: &[Outcome], few: &[Outcome]) -> Row {
    let durations = |outcomes: &[Outcome]| outcomes.iter().map(|one| one.percentile(percent)).collect::<Vec<_>>();
    let (many, few) = (durations(many), durations(few));
    let ratio = Spread::of_ratios(&many, &few);
    Row {
        what: format!("`GET {}`, {MANY} orders: p{percent}", list.path),
        measured: format!("{:.2} ms", Spread::of(many)),
        against: format!("{FEW} orders: {:.2} ms", Spread::of(few)),
        figure: format!("{ratio:.2}"),
        goal: "≤ 1.5",
        reached: ratio.median <= 1.5,
    }
}

impl Side {
    async fn new(stage: &Stage, list: &List, orders: u64) -> Result<Self> {
        let database = Filled::with(stage, list.tables, orders).await?;
        let service = database.serve(stage, list.tables.service()).await?;
        let request = database.first_page(stage, &service, list).await?;
        Ok(Self { database, service, request })
    }

    async fn load(&self) -> Result<Outcome> {
        let outcome = load::run(self.service.address, &self.request, 200, CONNECTIONS, TIME).await?;
        say(format_args!(
            "    {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            outcome.rate,
            outcome.percentile(50.0),
            outcome.percentile(99.0)
        ));
        Ok(outcome)
    }

    async fn end(self) -> Result<()> {
        self.service.stop().await?;
        self.database.drop().await
    }
}
