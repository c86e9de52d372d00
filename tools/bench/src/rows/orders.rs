//! `POST /orders`: its rate against the same statements in pgbench, its processor time against that of pgbench and of a server
//! that only responds, and its memory.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use catalogue::Service;
use local::Kind;

use crate::{
    instance::Instance,
    load::{CONNECTIONS, Outcome, Target},
    order_script::OrderScript,
    otlp_receiver::OtlpReceiver,
    pgbench, process,
    progress::say,
    responder::Responder,
    rounds::repeat,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

const TIME: Duration = Duration::from_secs(10);

/// The results of a round.
struct Round {
    database: pgbench::Outcome,
    shop: Outcome,
    /// Processor seconds of the shop for 1,000 orders.
    cpu: f64,
    /// Those of the server that only responds.
    responder_cpu: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let customer = testbed.shop()?.register("bench", "a ring to find them").await;
    let receiver = OtlpReceiver::start().await?;
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.address)];
    let shop = Instance::start(&testbed, Service::ShopApi, &exporting).await?;
    let target = Target::new_order(shop.address, customer.token());
    let responder = Responder::start().await?;
    let responder_target = Target::new_order(responder.address, customer.token());
    let script = OrderScript::write(&testbed, &customer).await?;
    let database = &testbed.databases()?.shop;

    let mut orders = 0;
    let rounds = repeat(rounds, async || {
        let database = pgbench::run(database, &script.create, Some(&script.prune), CONNECTIONS, TIME).await?;
        let (shop, cpu) = load_and_cpu(&target, shop.pid()?).await?;
        let (_, responder_cpu) = load_and_cpu(&responder_target, responder.pid()?).await?;
        orders += shop.responses;
        say(format!(
            "  pgbench {:.0}/s, {:.3} s; shop {shop}, {cpu:.3} s; only responding {responder_cpu:.3} s",
            database.rate, database.cpu
        ));
        Ok(Round { database, shop, cpu, responder_cpu })
    })
    .await?;
    let memory = process::memory(shop.pid()?, "VmRSS")?;
    let log = shop.log.clone();
    // The shop exports its last spans before it ends.
    shop.stop().await?;
    let records = fs::read_to_string(&log)?.lines().count() as u64;
    ensure!(records >= 2 * orders, "{orders} orders have {records} records");
    ensure!(receiver.spans() >= orders, "{orders} orders have {} spans", receiver.spans());
    testbed.stop()?;
    Ok(rows(&rounds, memory))
}

/// Loads a target, and returns the processor seconds that this process took for 1,000 responses, too.
async fn load_and_cpu(target: &Target, pid: i32) -> Result<(Outcome, f64)> {
    let before = process::cpu(pid)?;
    let outcome = target.load(CONNECTIONS, TIME).await?;
    let cpu = process::cpu(pid)?.saturating_sub(before).as_secs_f64();
    let cpu = cpu * 1000.0 / outcome.responses as f64;
    Ok((outcome, cpu))
}

fn rows(rounds: &[Round], memory: f64) -> Vec<Row> {
    let rate = |round: &Round| round.shop.rate;
    let floor = |round: &Round| round.database.cpu + round.responder_cpu;
    let against_database = Spread::of(rounds, |round| rate(round) / round.database.rate);
    let cpu = Spread::of(rounds, |round| round.cpu);
    let against_floor = Spread::of(rounds, |round| round.cpu / floor(round));
    vec![
        Row {
            what: format!("`POST /orders`, records and spans at 100 %, {CONNECTIONS} connections"),
            measured: format!("{:.0} a second", Spread::of(rounds, rate)),
            against: format!(
                "pgbench, same statements: {:.0} a second",
                Spread::of(rounds, |round| round.database.rate)
            ),
            figure: format!("{against_database:.2}"),
            goal: Goal::at_least(0.85, "", against_database.median),
        },
        Row {
            what: "the same: processor time for 1,000 orders".to_owned(),
            measured: format!("{cpu:.3} s"),
            against: format!("pgbench and a server that only responds: {:.3} s", Spread::of(rounds, floor)),
            figure: format!("{against_floor:.2}"),
            goal: Goal::at_most(1.5, "", against_floor.median),
        },
        Row {
            what: "the same".to_owned(),
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
