//! From a line on standard output to a record that a search finds: how long it takes, and how many a second it keeps up
//! with.
//!
//! Some of the records are probes: they have one trace in common, by which a search asks for them over and over, as
//! Support, and notes when each is found.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use catalogue::{Action, field};
use testkit::{log, search::Search};
use local::Kind;
use reqwest::Method;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    say,
    stage::Stage,
    submitted::Pattern,
    table::{Row, Spread},
};

const SERVICES: [&str; 3] = ["shop-api", "crm-api", "mes-api"];
const USUAL: Rate = Rate { a_second: 1_000, time: Duration::from_secs(30) };
const HIGH: Rate = Rate { a_second: 10_000, time: Duration::from_secs(60) };
const PROBES_A_SECOND: usize = 50;
/// How often lines are written, and how often a search asks for probes.
const TICK: Duration = Duration::from_millis(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// As many records as Elasticsearch gives at once.
const PAGE: usize = 10_000;
/// A record that hasn't come so long after the last was written is lost.
const PATIENCE: Duration = Duration::from_secs(180);
/// A search sees what was there at the last refresh, so what keeps up is late by this much more or less.
const REFRESH: Duration = Duration::from_secs(1);

/// Lines as a service really wrote them, to be copied.
struct Lines {
    /// Of a change of an order's status, with its number.
    change: Line,
    /// Of a request, with none.
    request: Line,
    /// Of an upload; the probes are such, and have their place in the size of the file.
    upload: Line,
}

/// A line, with its end, and what is in it.
struct Line(Map<String, Value>, String);

/// So many records are written, for so long.
#[derive(Clone, Copy)]
struct Rate {
    a_second: usize,
    time: Duration,
}

/// What a run saw.
struct Run {
    /// For each probe, in the order of writing: the time from its writing to its being found.
    delays: Vec<Duration>,
    /// Records a second that were found, between the probe at a third of the time and the last one.
    found: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let stage = Stage::start(&[Kind::Shipper, Kind::Services]).await?;
    let lines = Lines::of(&stage).await?;
    let file = stage.file();
    let support = file.accounts.support.as_ref().context("Elasticsearch runs")?;
    let search = Search::new(file.elasticsearch.as_deref().context("Elasticsearch runs")?, support);
    let (mut usual, mut high) = (Vec::new(), Vec::new());
    // The first round warms everything up.
    for round in 0..=rounds {
        for (rate, runs) in [(USUAL, &mut usual), (HIGH, &mut high)] {
            let run = rate.run(&stage, &lines, &search).await?;
            say(format!(
                "  {} a second: found after {:.1} s, p99 {:.1} s; {:.0} a second were found, late by {:.1} s at first, {:.1} s at last",
                rate.a_second,
                run.percentile(50),
                run.percentile(99),
                run.found,
                run.third(0),
                run.third(2)
            ));
            if round > 0 {
                runs.push(run);
            }
        }
    }
    stage.stop().await?;
    Ok(rows(&usual, &high))
}

fn rows(usual: &[Run], high: &[Run]) -> Vec<Row> {
    let of = |runs: &[Run], figure: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(figure));
    let slow = of(usual, &|run| run.percentile(99));
    let found = of(high, &|run| run.found);
    let growth = of(high, &|run| run.third(2) - run.third(0));
    vec![
        Row {
            what: format!("from a line on standard output to a search, {} records a second: p99", USUAL.a_second),
            measured: format!("{slow:.1} s"),
            against: format!("half of them: {:.1} s", of(usual, &|run| run.percentile(50))),
            figure: format!("{slow:.1} s"),
            goal: "≤ 5 s",
            reached: slow.median <= 5.0,
        },
        Row {
            what: format!("{} records a second for {} s", HIGH.a_second, HIGH.time.as_secs()),
            measured: format!("{found:.0} a second found"),
            against: format!("{} a second written", HIGH.a_second),
            figure: format!("at the end {growth:+.1} s later than at first"),
            goal: "no growing backlog",
            reached: growth.median <= REFRESH.as_secs_f64(),
        },
    ]
}

impl Lines {
    async fn of(stage: &Stage) -> Result<Self> {
        Pattern::order(stage).await?;
        let written = fs::read_to_string(stage.file().logs.join("shop-api.log"))?;
        let line = |action: Action| -> Result<Line> {
            let mut lines = written.lines().rev().filter_map(|line| Some((log::parse(line).ok()?, line)));
            let found = lines.find(|(record, _)| log::has(record, &[(field::EVENT_ACTION, action.name())]));
            let (record, line) = found.with_context(|| format!("no record of {action}"))?;
            Ok(Line(record, format!("{line}\n")))
        };
        Ok(Self {
            change: line(Action::OrderStatusChanged)?,
            request: line(Action::HttpRequest)?,
            upload: line(Action::OrderModelUploaded)?,
        })
    }
}

impl Line {
    /// The same with other values in the fields that it has.
    fn another(&self, values: &[(&str, String)]) -> String {
        let Self(record, line) = self;
        values.iter().fold(line.clone(), |line, (name, value)| match record.get(*name) {
            None => line,
            // In the sentence for people, too.
            Some(Value::String(old)) => line.replace(old, value),
            Some(old) => line.replace(&format!("\"{name}\":{old}"), &format!("\"{name}\":{value}")),
        })
    }
}

impl Run {
    fn percentile(&self, percent: usize) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let place = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(place).map_or(f64::NAN, Duration::as_secs_f64)
    }

    /// The median of the first, second or last third, in seconds.
    fn third(&self, which: usize) -> f64 {
        let third = self.delays.len() / 3;
        Spread::of(self.delays.iter().skip(which * third).take(third).map(Duration::as_secs_f64)).median
    }
}

impl Rate {
    async fn run(self, stage: &Stage, lines: &Lines, search: &Search) -> Result<Run> {
        let (trace, customer) = (Uuid::now_v7().simple().to_string(), Uuid::now_v7().to_string());
        let (written, done) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let write = async {
            let result = self.write(stage, lines, &trace, &customer, &written).await;
            done.store(true, Ordering::Relaxed);
            result
        };
        let (count, found) = tokio::try_join!(write, find(search, &trace, &written, &done))?;
        // The probes tell when; that the others come as well is to be seen.
        let all = json!({"query": {"term": {field::CUSTOMER_ID: customer}}});
        testkit::eventually_within(PATIENCE, "all records to be found", async || {
            let (_, answer) = search.call(Method::POST, "alexandrite-*/_count", Some(&all)).await;
            if answer["count"].as_u64() == Some(count) { Ok(()) } else { Err(format!("{answer} of {count}")) }
        })
        .await;
        let written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let delays = written.iter().zip(&found).map(|(written, found)| found.duration_since(*written)).collect();
        let third = found.len() / 3;
        let seconds =
            found.last().zip(found.get(third)).map_or(f64::NAN, |(last, third)| (*last - *third).as_secs_f64());
        let of_probe = (self.a_second / PROBES_A_SECOND) as f64;
        Ok(Run { delays, found: (found.len() - 1 - third) as f64 * of_probe / seconds })
    }

    /// Writes records at this rate, notes when each probe was written, and gives how many there are of this customer.
    async fn write(
        self,
        stage: &Stage,
        lines: &Lines,
        trace: &str,
        customer: &str,
        written: &Mutex<Vec<Instant>>,
    ) -> Result<u64> {
        let logs = &stage.file().logs;
        let open = |name: &str| OpenOptions::new().create(true).append(true).open(logs.join(name));
        let mut files =
            SERVICES.iter().map(|name| open(&format!("{name}-bench.log"))).collect::<Result<Vec<_>, _>>()?;
        let at_once = self.a_second / (1000 / TICK.as_millis() as usize);
        let every = self.a_second / PROBES_A_SECOND;
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut number, mut of_customer) = (Instant::now(), 0, 0);
        while begun.elapsed() < self.time {
            clock.tick().await;
            for _ in 0..at_once {
                let probe = (number % every == 0).then_some(number / every);
                let kind = match probe {
                    Some(_) => &lines.upload,
                    None if number % 2 == 0 => &lines.change,
                    None => &lines.request,
                };
                let service = number % SERVICES.len();
                let random = || Uuid::now_v7().to_string();
                let line = kind.another(&[
                    (field::NAME, SERVICES[service].to_owned()),
                    (field::TIME, OffsetDateTime::now_utc().format(&Rfc3339)?),
                    (field::EVENT_ID, random()),
                    (field::ORDER_ID, format!("A-{}", 100_000 + number)),
                    (field::CUSTOMER_ID, customer.to_owned()),
                    (field::FILE_SIZE, probe.unwrap_or_default().to_string()),
                    (field::TRACE_ID, probe.map_or_else(|| random().replace('-', ""), |_| trace.to_owned())),
                    (field::HTTP_REQUEST_ID, random()),
                ]);
                // One by one, as a service does.
                files[service].write_all(line.as_bytes())?;
                if probe.is_some() {
                    written.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
                of_customer += u64::from(kind.0.contains_key(field::CUSTOMER_ID));
                number += 1;
            }
        }
        let rate = number as f64 / begun.elapsed().as_secs_f64();
        ensure!(rate >= 0.98 * self.a_second as f64, "only {rate:.0} records a second could be written");
        Ok(of_customer)
    }
}

/// Notes when each probe is found, until all are.
async fn find(search: &Search, trace: &str, written: &Mutex<Vec<Instant>>, done: &AtomicBool) -> Result<Vec<Instant>> {
    let mut found = BTreeMap::<usize, Instant>::new();
    let mut clock = interval(BETWEEN_LOOKS);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        // Those up to here are all found; only what comes later is asked for.
        let up_to = (0..).zip(found.keys()).take_while(|(place, number)| place == *number).count();
        let query = json!({
            "size": PAGE,
            "_source": false,
            "fields": [field::FILE_SIZE],
            "sort": [field::FILE_SIZE],
            "query": {"bool": {"filter": [{"term": {field::TRACE_ID: trace}}, {"range": {field::FILE_SIZE: {"gte": up_to}}}]}},
        });
        let (status, answer) = search.call(Method::POST, "alexandrite-*/_search", Some(&query)).await;
        ensure!(status == 200, "a search was answered by {status}: {answer}");
        let now = Instant::now();
        for hit in answer["hits"]["hits"].as_array().into_iter().flatten() {
            let number = hit["fields"][field::FILE_SIZE][0].as_u64().context("a probe without its number")?;
            found.entry(usize::try_from(number)?).or_insert(now);
        }
        let all = written.lock().unwrap_or_else(PoisonError::into_inner);
        if done.load(Ordering::Relaxed) && found.len() == all.len() {
            return Ok(found.into_values().collect());
        }
        let last = all.last().map_or(Duration::ZERO, Instant::elapsed);
        ensure!(
            last < PATIENCE,
            "{} of {} probes were found {} s after the last",
            found.len(),
            all.len(),
            last.as_secs()
        );
    }
}
