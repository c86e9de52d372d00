//! What telemetry costs: `POST /orders` of a shop that writes records and exports spans, against one that exports none, and one
//! that does neither and is as durable; and what the journal costs the database.

use std::time::Duration;

use anyhow::Result;
use catalogue::Service;
use local::Kind;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    instance::Instance,
    journal::{self, while_pruned},
    load::{CONNECTIONS, Outcome, Target},
    order_script::OrderScript,
    otlp_receiver::OtlpReceiver,
    pgbench,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// A round is this many turns of each, short ones, so that a change of the machine's speed affects all alike.
const TURNS: usize = 10;
const TURN: Duration = Duration::from_secs(1);
/// The setting by which the database knows the connections of the shop without telemetry.
const SILENT: &str = "bench.without_telemetry";

/// The results of a round.
struct Round {
    all: Outcome,
    without_spans: Outcome,
    without: Outcome,
    /// Transactions a second of the database alone.
    database: f64,
    database_without_journal: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    let receiver = OtlpReceiver::start().await?;
    let database = &testbed.databases()?.shop;
    let mut journal = PgConnection::connect(database).await?;
    keep_rows_for_the_silent(&mut journal).await?;
    let (_, environment) = testbed.program(Service::ShopApi)?;
    let silent = pgbench::with_setting(&environment["DATABASE_URL"], SILENT, "on");
    let all =
        Instance::start(&testbed, Service::ShopApi, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address)]).await?;
    let without_spans = Instance::start(&testbed, Service::ShopApi, &[]).await?;
    let without =
        Instance::start(&testbed, Service::ShopApi, &[("RUST_LOG", "off"), ("DATABASE_URL", &silent)]).await?;
    let targets = [&all, &without_spans, &without].map(|shop| Target::new_order(shop.address, customer.token()));
    let script = OrderScript::write(&testbed, &customer).await?;

    let rounds = repeat(rounds, async || {
        let [mut of_all, mut of_without_spans, mut of_without] = [const { Vec::new() }; 3];
        let (mut with_journal, mut without_journal) = (0.0, 0.0);
        for _ in 0..TURNS {
            of_all.push(targets[0].load(CONNECTIONS, TURN).await?);
            of_without_spans.push(targets[1].load(CONNECTIONS, TURN).await?);
            of_without.push(while_pruned(&mut journal, targets[2].load(CONNECTIONS, TURN)).await?);
            let run = async |script, prune| pgbench::run(database, script, prune, CONNECTIONS, TURN).await;
            with_journal += run(&script.create, Some(&*script.prune)).await?.rate / TURNS as f64;
            without_journal += run(&script.create_without_journal, None).await?.rate / TURNS as f64;
        }
        let [all, without_spans, without] = [of_all, of_without_spans, of_without].map(Outcome::of_turns);
        let round = Round {
            all: all?,
            without_spans: without_spans?,
            without: without?,
            database: with_journal,
            database_without_journal: without_journal,
        };
        say(format!("  all {}; without spans {}; without {}", round.all, round.without_spans, round.without));
        say(format!("  pgbench {with_journal:.0}/s; without the journal {without_journal:.0}/s"));
        Ok(round)
    })
    .await?;
    for shop in [all, without_spans, without] {
        shop.stop().await?;
    }
    testbed.stop()?;
    Ok(rows(&rounds))
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let throughput = Spread::of(rounds, |round| round.all.rate / round.without.rate);
    let slowest = Spread::of(rounds, |round| round.all.percentile(99.0) / round.without.percentile(99.0));
    let spans = Spread::of(rounds, |round| round.all.rate / round.without_spans.rate);
    let journal = Spread::of(rounds, |round| round.database / round.database_without_journal);
    let rate = |figure: fn(&Round) -> f64| format!("{:.0} a second", Spread::of(rounds, figure));
    let p99 = |figure: fn(&Round) -> f64| format!("{:.1} ms", Spread::of(rounds, figure));
    vec![
        Row {
            what: format!("`POST /orders`, records and spans at 100 %, {CONNECTIONS} connections"),
            measured: rate(|round| round.all.rate),
            against: format!("neither, and as durable: {}", rate(|round| round.without.rate)),
            figure: format!("{throughput:.2}"),
            goal: Goal::at_least(0.95, "", throughput.median),
        },
        Row {
            what: "the same: p99".to_owned(),
            measured: p99(|round| round.all.percentile(99.0)),
            against: p99(|round| round.without.percentile(99.0)),
            figure: format!("{slowest:.2}"),
            goal: Goal::at_most(1.1, "", slowest.median),
        },
        Row {
            what: "the same: throughput".to_owned(),
            measured: rate(|round| round.all.rate),
            against: format!("no spans: {}", rate(|round| round.without_spans.rate)),
            figure: format!("{spans:.2}"),
            goal: Goal::at_least(0.98, "", spans.median),
        },
        Row {
            what: "the journal: an order's statements by pgbench".to_owned(),
            measured: rate(|round| round.database),
            against: format!("without a row in the journal: {}", rate(|round| round.database_without_journal)),
            figure: format!("{journal:.2}"),
            goal: Goal::at_least(0.95, "", journal.median),
        },
    ]
}

/// Has the database keep a row in the journal for each order of the shop without telemetry: durability is no part of the
/// difference then.
async fn keep_rows_for_the_silent(database: &mut PgConnection) -> Result<()> {
    let insert = journal::row("gen_random_uuid()", "NEW.id", "");
    let statements = format!(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$;
         CREATE TRIGGER keep AFTER INSERT ON orders FOR EACH ROW
         WHEN (current_setting('{SILENT}', true) = 'on') EXECUTE FUNCTION keep()"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(database).await?;
    Ok(())
}
