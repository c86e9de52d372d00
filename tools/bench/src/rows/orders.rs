//! `POST /orders`: its rate against the same statements in pgbench, what telemetry takes of it, and what it costs.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use local::Kind;

use crate::{
    customer::Customer,
    instance::Service,
    load::{self, Outcome},
    otlp_receiver::Sink,
    pgbench,
    process::{self, Memory},
    say,
    table::{Row, Spread},
    testbed::Stage,
};

/// Twice as many as a service has connections to its database unless told otherwise.
const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(10);
/// About as long as the record of a new order.
const RECORD_BYTES: usize = 500;

/// What the rounds measured, each in its place.
#[derive(Default)]
struct Rounds {
    /// Transactions a second of the database alone.
    database: Vec<f64>,
    with_telemetry: Vec<Outcome>,
    without: Vec<Outcome>,
    /// Processor seconds for 1,000 orders.
    cpu: Vec<f64>,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let customer = Customer::register(&stage).await?;
    let sink = Sink::start().await?;
    let logs = stage.folder("logs-apart")?;
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.address)];
    let telling = Service::start(stage.file(), "shop-api", &exporting, &logs).await?;
    let silent = Service::start(stage.file(), "shop-api", &[("RUST_LOG", "off")], &logs).await?;
    let script = Script::write(&stage, &customer)?;

    let mut all = Rounds::default();
    let mut answers = 0;
    // The first round warms everything up.
    for round in 0..=rounds {
        let database = pgbench::run(stage.shop_database()?, &script.order, &script.forget, CONNECTIONS, TIME).await?;
        let before = process::cpu(telling.pid())?;
        let with_telemetry = order(&telling, &customer).await?;
        let cpu = process::cpu(telling.pid())?.saturating_sub(before).as_secs_f64();
        let cpu = cpu * 1000.0 / with_telemetry.answers as f64;
        let without = order(&silent, &customer).await?;
        answers += with_telemetry.answers;
        say(format!(
            "  pgbench {database:.0}/s; with telemetry {:.0}/s, p99 {:.1} ms, {cpu:.3} s; without {:.0}/s, p99 {:.1} ms",
            with_telemetry.rate,
            with_telemetry.percentile(99.0),
            without.rate,
            without.percentile(99.0)
        ));
        if round > 0 {
            all.database.push(database);
            all.with_telemetry.push(with_telemetry);
            all.without.push(without);
            all.cpu.push(cpu);
        }
    }
    let memory = process::memory(telling.pid(), Memory::Now)?;
    silent.stop().await?;
    // Its last spans are exported before it ends.
    let log = telling.log.clone();
    telling.stop().await?;
    let records = fs::read_to_string(&log)?.lines().count() as u64;
    ensure!(records >= 2 * answers, "{answers} orders left {records} records");
    ensure!(sink.spans() >= answers, "{answers} orders left {} spans", sink.spans());
    stage.stop().await?;
    Ok(rows(&all, memory))
}

fn rows(all: &Rounds, memory: f64) -> Vec<Row> {
    let rates = |outcomes: &[Outcome]| outcomes.iter().map(|one| one.rate).collect::<Vec<_>>();
    let slowest_of = |outcomes: &[Outcome]| outcomes.iter().map(|one| one.percentile(99.0)).collect::<Vec<_>>();
    let (with, without) = (rates(&all.with_telemetry), rates(&all.without));
    let (with_slow, without_slow) = (slowest_of(&all.with_telemetry), slowest_of(&all.without));
    let against_database = Spread::of_ratios(&with, &all.database);
    let throughput = Spread::of_ratios(&with, &without);
    let slowest = Spread::of_ratios(&with_slow, &without_slow);
    let cpu = Spread::of(all.cpu.iter().copied());
    vec![
        Row {
            what: format!("`POST /orders`, records and spans at 100 %, {CONNECTIONS} connections"),
            measured: format!("{:.0} a second", Spread::of(with.iter().copied())),
            against: format!("pgbench, same statements: {:.0} a second", Spread::of(all.database.iter().copied())),
            figure: format!("{against_database:.2}"),
            goal: "≥ 0.85",
            reached: against_database.median >= 0.85,
        },
        Row {
            what: "the same: throughput".to_owned(),
            measured: format!("{:.0} a second", Spread::of(with)),
            against: format!("telemetry off: {:.0} a second", Spread::of(without)),
            figure: format!("{throughput:.2}"),
            goal: "≥ 0.95",
            reached: throughput.median >= 0.95,
        },
        Row {
            what: "the same: p99".to_owned(),
            measured: format!("{:.1} ms", Spread::of(with_slow)),
            against: format!("telemetry off: {:.1} ms", Spread::of(without_slow)),
            figure: format!("{slowest:.2}"),
            goal: "≤ 1.05",
            reached: slowest.median <= 1.05,
        },
        Row {
            what: "the same: processor time for 1,000 orders".to_owned(),
            measured: format!("{cpu:.3} s"),
            against: "a tuned Spring Boot 4: 0.41 s".to_owned(),
            figure: format!("{:.2}", cpu.median / 0.41),
            goal: "≤ 0.08 s",
            reached: cpu.median <= 0.08,
        },
        Row {
            what: "the same: resident memory".to_owned(),
            measured: format!("{memory:.0} MiB"),
            against: "a tuned Spring Boot 4: 460 MiB".to_owned(),
            figure: format!("{:.2}", memory / 460.0),
            goal: "≤ 46 MiB",
            reached: memory <= 46.0,
        },
    ]
}

async fn order(shop: &Service, customer: &Customer) -> Result<Outcome> {
    load::run(shop.address, &customer.new_order(), 201, CONNECTIONS, TIME).await
}

/// The shop's statements for pgbench.
struct Script {
    order: PathBuf,
    forget: PathBuf,
}

impl Script {
    /// Writes the session's look-up and the order's one statement, and the other that forgets records that are written,
    /// as `common::auth::session`, `shop_orders::store::create` and `common::journal` have them, for one order at a time. What the shop brings
    /// with it (a number by time, a record's line) is made here, or it would be a smaller job.
    fn write(stage: &Stage, customer: &Customer) -> Result<Self> {
        let folder = stage.folder("pgbench")?;
        let account = customer.account;
        let line = "x".repeat(RECORD_BYTES);
        let token = &customer.token_sha256;
        let order = format!(
            "SELECT accounts.id, role, used_at FROM sessions JOIN accounts ON accounts.id = account_id \
             WHERE token_sha256 = '\\x{token}'::bytea AND disabled_at IS NULL AND expires_at > now();\n\
             \\set number random(0, 9223372036854775806)\n\
             WITH created AS (\
               INSERT INTO orders (id, status, status_since, customer_id, material, quantity, comment, created_at, updated_at) \
               VALUES ('A-' || nextval('order_number'), 'INITIATED', now(), '{account}', 'gold_585', 1, 'For her birthday, please.', now(), now()) \
               RETURNING id, created_at\
             ), number AS MATERIALIZED (\
               SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7000' || lpad(to_hex(:number::bigint), 16, '0'))::uuid AS id\
             ), noted AS (\
               INSERT INTO order_history (order_id, status, at, actor, service, event_id) \
               SELECT created.id, 'INITIATED', created_at, 'customer:{account}', 'shop-api', number.id FROM created, number\
             ), kept AS (\
               INSERT INTO journal (event_id, line) SELECT number.id, replace('{line}'::text, 'A-000000'::text, created.id) FROM created, number\
             ) SELECT id, created_at FROM created;\n"
        );
        let script = Self { order: folder.join("order.sql"), forget: folder.join("forget.sql") };
        fs::write(&script.order, order)?;
        fs::write(&script.forget, "DELETE FROM journal;\n")?;
        Ok(script)
    }
}
