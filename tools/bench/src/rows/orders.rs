//! `POST /orders`: its rate against the same statements in pgbench, the cost of telemetry, and processor time and memory.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use catalogue::Service;
use local::Kind;
use sqlx::{Connection as _, PgConnection};
use testkit::Client;

use crate::{
    instance::Instance,
    load::{Outcome, Target},
    otlp_receiver::OtlpReceiver,
    pgbench, process,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// Twice as many as a service's database connections by default.
const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(10);
/// The approximate size of the record of a new order.
const RECORD_BYTES: usize = 500;

/// The results of a round.
struct Round {
    /// Transactions a second of the database alone.
    database: f64,
    with_telemetry: Outcome,
    without: Outcome,
    /// Processor seconds for 1,000 orders.
    cpu: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    let receiver = OtlpReceiver::start().await?;
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.address)];
    let shop = Instance::start(&testbed, Service::ShopApi, &exporting).await?;
    let silent_shop = Instance::start(&testbed, Service::ShopApi, &[("RUST_LOG", "off")]).await?;
    let [target, silent_target] = [&shop, &silent_shop].map(|shop| Target::new_order(shop.address, customer.token()));
    let scripts = Scripts::write(&testbed, &customer).await?;
    let database = &testbed.databases()?.shop;

    let mut orders = 0;
    let rounds = repeat(rounds, async || {
        let database = pgbench::run(database, &scripts.create, &scripts.prune, CONNECTIONS, TIME).await?;
        let before = process::cpu(shop.pid()?)?;
        let with_telemetry = target.load(CONNECTIONS, TIME).await?;
        let cpu = process::cpu(shop.pid()?)?.saturating_sub(before).as_secs_f64();
        let cpu = cpu * 1000.0 / with_telemetry.responses as f64;
        let without = silent_target.load(CONNECTIONS, TIME).await?;
        orders += with_telemetry.responses;
        say(format!("  pgbench {database:.0}/s; with telemetry {with_telemetry}, {cpu:.3} s; without {without}"));
        Ok(Round { database, with_telemetry, without, cpu })
    })
    .await?;
    let memory = process::memory(shop.pid()?, "VmRSS")?;
    silent_shop.stop().await?;
    let log = shop.log.clone();
    // The shop exports its last spans before it ends.
    shop.stop().await?;
    let records = fs::read_to_string(&log)?.lines().count() as u64;
    ensure!(records >= 2 * orders, "{orders} orders have {records} records");
    ensure!(receiver.spans() >= orders, "{orders} orders have {} spans", receiver.spans());
    testbed.stop()?;
    Ok(rows(&rounds, memory))
}

fn rows(rounds: &[Round], memory: f64) -> Vec<Row> {
    let rate = |round: &Round| round.with_telemetry.rate;
    let rate_without = |round: &Round| round.without.rate;
    let p99 = |round: &Round| round.with_telemetry.percentile(99.0);
    let p99_without = |round: &Round| round.without.percentile(99.0);
    let against_database = Spread::of(rounds, |round| rate(round) / round.database);
    let throughput = Spread::of(rounds, |round| rate(round) / rate_without(round));
    let slowest = Spread::of(rounds, |round| p99(round) / p99_without(round));
    let cpu = Spread::of(rounds, |round| round.cpu);
    vec![
        Row {
            what: format!("`POST /orders`, records and spans at 100 %, {CONNECTIONS} connections"),
            measured: format!("{:.0} a second", Spread::of(rounds, rate)),
            against: format!("pgbench, same statements: {:.0} a second", Spread::of(rounds, |round| round.database)),
            figure: format!("{against_database:.2}"),
            goal: Goal::at_least(0.85, "", against_database.median),
        },
        Row {
            what: "the same: throughput".to_owned(),
            measured: format!("{:.0} a second", Spread::of(rounds, rate)),
            against: format!("telemetry off: {:.0} a second", Spread::of(rounds, rate_without)),
            figure: format!("{throughput:.2}"),
            goal: Goal::at_least(0.95, "", throughput.median),
        },
        Row {
            what: "the same: p99".to_owned(),
            measured: format!("{:.1} ms", Spread::of(rounds, p99)),
            against: format!("telemetry off: {:.1} ms", Spread::of(rounds, p99_without)),
            figure: format!("{slowest:.2}"),
            goal: Goal::at_most(1.05, "", slowest.median),
        },
        Row {
            what: "the same: processor time for 1,000 orders".to_owned(),
            measured: format!("{cpu:.3} s"),
            against: "a tuned Spring Boot 4: 0.41 s".to_owned(),
            figure: format!("{:.2}", cpu.median / 0.41),
            goal: Goal::at_most(0.08, " s", cpu.median),
        },
        Row {
            what: "the same: resident memory".to_owned(),
            measured: format!("{memory:.0} MiB"),
            against: "a tuned Spring Boot 4: 460 MiB".to_owned(),
            figure: format!("{:.2}", memory / 460.0),
            goal: Goal::at_most(46.0, " MiB", memory),
        },
    ]
}

/// The shop's statements as pgbench scripts.
struct Scripts {
    create: PathBuf,
    prune: PathBuf,
}

impl Scripts {
    /// Writes the statements of the session's look-up and of a new order, and the one that prunes written records, as
    /// the shop runs them for one order at a time. The scripts also make what the shop passes as parameters (an id by
    /// time, a record's line); without that they would do less work.
    async fn write(testbed: &Testbed, customer: &Client) -> Result<Self> {
        let folder = testbed.folder("pgbench")?;
        let account = customer.account();
        let line = "x".repeat(RECORD_BYTES);
        let mut database = PgConnection::connect(&testbed.databases()?.shop).await?;
        let session = "SELECT encode(token_sha256, 'hex') FROM sessions WHERE account_id = $1";
        let token: String = sqlx::query_scalar(session).bind(account).fetch_one(&mut database).await?;
        let create = format!(
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
        let scripts = Self { create: folder.join("create.sql"), prune: folder.join("prune.sql") };
        fs::write(&scripts.create, create)?;
        fs::write(&scripts.prune, "DELETE FROM journal;\n")?;
        Ok(scripts)
    }
}
