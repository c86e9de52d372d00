//! From a line on standard output to a record that a search finds: the delay, and the rate that the shipping keeps up
//! with.
//!
//! Some of the records are probes. They share a trace id, by which Support's account searches for them again and again,
//! and the first time that each is found is noted.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use catalogue::{Action, Service, field};
use local::Kind;
use reqwest::Method;
use serde_json::{Map, Value, json};
use testkit::{log, search::Search};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    order_template::OrderTemplate,
    progress::say,
    rounds::repeat,
    table::{Goal, Row, Spread, percentile},
    testbed::Testbed,
};

const USUAL: Load = Load { a_second: 1_000, time: Duration::from_secs(30) };
const HIGH: Load = Load { a_second: 10_000, time: Duration::from_secs(60) };
const PROBES_A_SECOND: usize = 50;
/// How often lines are written.
const TICK: Duration = Duration::from_millis(10);
const BETWEEN_SEARCHES: Duration = Duration::from_millis(100);
/// The most records that Elasticsearch returns at once.
const PAGE: usize = 10_000;
/// A record that isn't found so long after the last one was written is lost.
const TIMEOUT: Duration = Duration::from_secs(180);
/// A search finds what the last refresh included, so delays vary by up to this much without a backlog.
const REFRESH: Duration = Duration::from_secs(1);

/// A record that a service wrote, and its line with the line break; copied with other values.
struct Template {
    record: Map<String, Value>,
    line: String,
}

/// Records that are written at a rate for some time.
#[derive(Clone, Copy)]
struct Load {
    a_second: usize,
    time: Duration,
}

/// What the searches found.
struct Outcome {
    /// For each probe, in the order of writing: the seconds from writing to finding it.
    delays: Vec<f64>,
    /// Records found a second, from the probe after the first third to the last one.
    rate: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Shipper, Kind::Services], &[])?;
    OrderTemplate::create(&testbed).await?;
    let file = testbed.file();
    let log = fs::read_to_string(file.logs.join("shop-api.log"))?;
    // The probes are uploads; the file's size is the probe's number.
    let [change, request, upload] = [Action::OrderStatusChanged, Action::HttpRequest, Action::OrderModelUploaded]
        .map(|action| Template::read(&log, action));
    let templates = [change?, request?, upload?];
    let address = file.elasticsearch.as_deref().context("Elasticsearch doesn't run")?;
    let search = Search::new(address, file.accounts.support.as_ref().context("there is no support account")?);
    let rounds = repeat(rounds, async || {
        let usual = USUAL.run(&file.logs, &templates, &search).await?;
        Ok((usual, HIGH.run(&file.logs, &templates, &search).await?))
    })
    .await?;
    testbed.stop()?;

    let p99 = Spread::of(&rounds, |(usual, _)| usual.percentile(99));
    let rate = Spread::of(&rounds, |(_, high)| high.rate);
    let growth = Spread::of(&rounds, |(_, high)| high.third(2) - high.third(0));
    Ok(vec![
        Row {
            what: format!("from a line on standard output to a search, {} records a second: p99", USUAL.a_second),
            measured: format!("{p99:.1} s"),
            against: format!("half of them: {:.1} s", Spread::of(&rounds, |(usual, _)| usual.percentile(50))),
            figure: format!("{p99:.1} s"),
            goal: Goal::at_most(5.0, " s", p99.median),
        },
        Row {
            what: format!("{} records a second for {} s", HIGH.a_second, HIGH.time.as_secs()),
            measured: format!("{rate:.0} a second found"),
            against: format!("{} a second written", HIGH.a_second),
            figure: format!("at the end {growth:+.1} s later than at first"),
            goal: Goal { text: "no growing backlog".to_owned(), is_reached: growth.median <= REFRESH.as_secs_f64() },
        },
    ])
}

impl Template {
    /// Takes the last record of an action from a log.
    fn read(log: &str, action: Action) -> Result<Self> {
        let mut lines = log.lines().rev().filter_map(|line| Some((log::parse(line).ok()?, line)));
        let found = lines.find(|(record, _)| log::has(record, &[(field::EVENT_ACTION, action.name())]));
        let (record, line) = found.with_context(|| format!("no record of {action}"))?;
        Ok(Self { record, line: format!("{line}\n") })
    }

    /// The line with other values in those of these fields that it has.
    fn with(&self, values: &[(&str, String)]) -> String {
        values.iter().fold(self.line.clone(), |line, (name, value)| match self.record.get(*name) {
            None => line,
            // The message for people may have the value as well.
            Some(Value::String(old)) => line.replace(old, value),
            Some(old) => line.replace(&format!("\"{name}\":{old}"), &format!("\"{name}\":{value}")),
        })
    }
}

impl Outcome {
    /// A percentile of the delays, in seconds.
    fn percentile(&self, percent: usize) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        percentile(&delays, percent)
    }

    /// The median delay of the first, second or last third of the probes, in seconds.
    fn third(&self, which: usize) -> f64 {
        let third = self.delays.len() / 3;
        Spread::of(&self.delays[which * third..][..third], |delay| *delay).median
    }
}

impl Load {
    async fn run(self, logs: &Path, templates: &[Template; 3], search: &Search) -> Result<Outcome> {
        let (trace, customer) = (Uuid::now_v7().simple().to_string(), Uuid::now_v7().to_string());
        let (written, done) = (RefCell::new(Vec::new()), Cell::new(false));
        let write = async {
            let result = self.write(logs, templates, &trace, &customer, &written).await;
            done.set(true);
            result
        };
        let (count, found) = tokio::try_join!(write, find_probes(search, &trace, &written, &done))?;
        // Records that aren't probes must be found as well.
        let all = json!({"query": {"term": {field::CUSTOMER_ID: customer}}});
        testkit::eventually_within(TIMEOUT, "all records to be found", async || {
            let (_, response) = search.call(Method::POST, "alexandrite-*/_count", Some(&all)).await;
            if response["count"].as_u64() == Some(count) { Ok(()) } else { Err(format!("{response} of {count}")) }
        })
        .await;
        let written = written.into_inner();
        let delay = |(written, found): (&Instant, &Instant)| (*found - *written).as_secs_f64();
        let delays = written.iter().zip(&found).map(delay).collect();
        let (third, last) = (found.len() / 3, found.len() - 1);
        let records = (last - third) * self.a_second / PROBES_A_SECOND;
        let outcome = Outcome { delays, rate: records as f64 / (found[last] - found[third]).as_secs_f64() };
        say(format!(
            "  {} a second: found after {:.1} s, p99 {:.1} s; {:.0} a second were found, late by {:.1} s at first, {:.1} s at last",
            self.a_second,
            outcome.percentile(50),
            outcome.percentile(99),
            outcome.rate,
            outcome.third(0),
            outcome.third(2)
        ));
        Ok(outcome)
    }

    /// Writes records at this rate, and notes when each probe is written. Returns the number of the customer's records.
    async fn write(
        self,
        logs: &Path,
        [change, request, upload]: &[Template; 3],
        trace: &str,
        customer: &str,
        written: &RefCell<Vec<Instant>>,
    ) -> Result<u64> {
        let open =
            |service| OpenOptions::new().create(true).append(true).open(logs.join(format!("{service}-bench.log")));
        let mut files = Service::APIS.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let at_once = self.a_second / (1000 / TICK.as_millis() as usize);
        let every = self.a_second / PROBES_A_SECOND;
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut number, mut of_customer) = (Instant::now(), 0, 0);
        while begun.elapsed() < self.time {
            clock.tick().await;
            for _ in 0..at_once {
                let probe = (number % every == 0).then_some(number / every);
                let template = match probe {
                    Some(_) => upload,
                    None if number % 2 == 0 => change,
                    None => request,
                };
                let service = number % Service::APIS.len();
                let random = || Uuid::now_v7().to_string();
                let line = template.with(&[
                    (field::NAME, Service::APIS[service].name().to_owned()),
                    (field::TIME, OffsetDateTime::now_utc().format(&Rfc3339)?),
                    (field::EVENT_ID, random()),
                    (field::ORDER_ID, format!("A-{}", 100_000 + number)),
                    (field::CUSTOMER_ID, customer.to_owned()),
                    (field::FILE_SIZE, probe.unwrap_or_default().to_string()),
                    (field::TRACE_ID, probe.map_or_else(|| random().replace('-', ""), |_| trace.to_owned())),
                    (field::HTTP_REQUEST_ID, random()),
                ]);
                // One write for each line, as a service does it.
                files[service].write_all(line.as_bytes())?;
                if probe.is_some() {
                    written.borrow_mut().push(Instant::now());
                }
                of_customer += u64::from(template.record.contains_key(field::CUSTOMER_ID));
                number += 1;
            }
        }
        let rate = number as f64 / begun.elapsed().as_secs_f64();
        ensure!(rate >= 0.98 * self.a_second as f64, "only {rate:.0} records a second could be written");
        Ok(of_customer)
    }
}

/// Searches until all probes are found; returns when each was found first.
async fn find_probes(
    search: &Search,
    trace: &str,
    written: &RefCell<Vec<Instant>>,
    done: &Cell<bool>,
) -> Result<Vec<Instant>> {
    let mut found = BTreeMap::<usize, Instant>::new();
    let mut clock = interval(BETWEEN_SEARCHES);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        // All probes before this one are found.
        let up_to = (0..).zip(found.keys()).take_while(|(place, number)| place == *number).count();
        let query = json!({
            "size": PAGE,
            "_source": false,
            "fields": [field::FILE_SIZE],
            "sort": [field::FILE_SIZE],
            "query": {"bool": {"filter": [{"term": {field::TRACE_ID: trace}}, {"range": {field::FILE_SIZE: {"gte": up_to}}}]}},
        });
        let (status, response) = search.call(Method::POST, "alexandrite-*/_search", Some(&query)).await;
        ensure!(status == 200, "a search got status {status}: {response}");
        let now = Instant::now();
        for hit in response["hits"]["hits"].as_array().into_iter().flatten() {
            let number = hit["fields"][field::FILE_SIZE][0].as_u64().context("a probe without a number")?;
            found.entry(usize::try_from(number)?).or_insert(now);
        }
        let all = written.borrow();
        if done.get() && found.len() == all.len() {
            return Ok(found.into_values().collect());
        }
        let last = all.last().map_or(Duration::ZERO, Instant::elapsed);
        ensure!(
            last < TIMEOUT,
            "{} of {} probes were found {} s after the last",
            found.len(),
            all.len(),
            last.as_secs()
        );
    }
}
