//! `metrics`: the important numbers of all services as one table, with rates over the last minute.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use catalogue::{Metric, ORDER_STATUSES, Service, field, metric};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::clients::prometheus::{Sample, Samples};
use crate::system::system_file::SystemFile;
use crate::terminal::{print, table};

/// What was scraped before, in the data folder.
const FILE: &str = "metrics.json";
/// Rates are over at most so long…
const LONGEST: Duration = Duration::from_secs(60);
/// … and not over less, in which hardly anything happens.
const SHORTEST: Duration = Duration::from_secs(5);

/// What all services showed at one time.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Scrape {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    services: BTreeMap<String, Samples>,
}

/// The scrape before, and the seconds since then.
type Before<'a> = Option<(&'a Samples, f64)>;
/// One number of a service, of two scrapes.
type Number = fn(&Samples, Before<'_>) -> Option<String>;

/// Scrapes all services and prints the table.
pub(crate) async fn metrics(data: &Path) -> Result<()> {
    let file = SystemFile::read(data)?;
    ensure!(!file.metrics.is_empty(), "the running system has no services");
    let mut services = BTreeMap::new();
    for (name, url) in &file.metrics {
        services
            .insert(name.replace('_', "-"), Samples::scrape(url).await.with_context(|| format!("scraping {name}"))?);
    }
    let now = Scrape { at: OffsetDateTime::now_utc(), services };
    let mut scrapes = earlier(data, now.at);
    let before = scrapes.iter().find(|scrape| now.at - scrape.at >= SHORTEST);
    print::out(table_of(&now, before));
    print::out(match before {
        Some(before) => format!("Rates are over the last {:.0} s.", (now.at - before.at).as_seconds_f64()),
        None => format!("For rates, do it again within {} s.", LONGEST.as_secs()),
    });
    print::out("Counts of orders, messages, records and prices are up to METRICS_COUNT_SECONDS old.");
    scrapes.push(now);
    std::fs::write(data.join(FILE), serde_json::to_vec(&scrapes)?).context("noting what was scraped")
}

/// What was scraped within the last minute, the oldest first.
fn earlier(data: &Path, now: OffsetDateTime) -> Vec<Scrape> {
    let noted = std::fs::read(data.join(FILE)).ok().and_then(|noted| serde_json::from_slice(&noted).ok());
    let mut scrapes: Vec<Scrape> = noted.unwrap_or_default();
    scrapes.retain(|scrape| (OffsetDateTime::UNIX_EPOCH..now).contains(&scrape.at) && now - scrape.at <= LONGEST);
    scrapes
}

fn table_of(now: &Scrape, before: Option<&Scrape>) -> comfy_table::Table {
    let services = Service::ALL.map(Service::name);
    let [shop, crm, mes, page] = services;
    let mut table = table::with_header(["", shop, crm, mes, page]);
    let mut add = |what: &str, number: &dyn Fn(&Samples, Before<'_>) -> Option<String>| {
        let cell = |service: &str| {
            let samples = now.services.get(service)?;
            let seconds = before.map_or(0.0, |before| (now.at - before.at).as_seconds_f64());
            let before = before.and_then(|before| before.services.get(service)).map(|samples| (samples, seconds));
            number(samples, before)
        };
        let cells = services.map(|service| cell(service).unwrap_or_default());
        table.add_row([vec![what.to_owned()], cells.into()].concat());
    };
    for status in ORDER_STATUSES {
        add(&format!("{status}: changes, now, oldest"), &|samples, _| of_status(samples, status));
    }
    for (what, number) in NUMBERS {
        add(what, &number);
    }
    table
}

fn of_status(samples: &Samples, status: &str) -> Option<String> {
    let labels = [(label(field::ORDER_STATUS), status)];
    let labels = labels.each_ref().map(|(name, value)| (name.as_str(), *value));
    let value = |metric: &Metric| samples.sum(&metric.prometheus_name(), &labels);
    let changes = value(&metric::STATUS_CHANGES)?;
    let orders = value(&metric::ORDERS).unwrap_or_default();
    let oldest = value(&metric::OLDEST_ORDER).filter(|_| orders > 0.0);
    Some(format!("{changes:.0}, {orders:.0}{}", oldest.map(|age| format!(", {}", length(age))).unwrap_or_default()))
}

const NUMBERS: [(&str, Number); 18] = [
    ("requests", |now, _| whole(requests(now, |_| true))),
    ("requests a second", |now, before| rate(now, before, |samples| requests(samples, |_| true))),
    ("requests that failed (5xx)", |now, _| whole(requests(now, |status| status.starts_with('5')).or(Some(0.0)))),
    ("mean duration", |now, _| {
        let name = metric::REQUEST_DURATION.prometheus_name();
        let (sum, count) = (now.sum(&format!("{name}_sum"), &[])?, now.sum(&format!("{name}_count"), &[])?);
        Some(format!("{:.1} ms", sum * 1000.0 / count))
    }),
    ("requests under way", |now, _| whole(of(now, &metric::ACTIVE_REQUESTS))),
    ("outbox: messages, oldest", |now, _| waiting(now, &metric::OUTBOX, &metric::OUTBOX_AGE)),
    ("journal: records, oldest", |now, _| waiting(now, &metric::JOURNAL, &metric::JOURNAL_AGE)),
    ("messages published", |now, _| whole(of(now, &metric::PUBLISHED_MESSAGES))),
    ("messages published a second", |now, before| {
        rate(now, before, |samples| of(samples, &metric::PUBLISHED_MESSAGES))
    }),
    ("dead letters", |now, _| whole(of(now, &metric::DEAD_LETTERS))),
    ("stuck orders", |now, _| whole(of(now, &metric::STUCK_ORDERS))),
    ("prices: calculated, failed", |now, _| {
        let outcome = |outcome| now.sum(&metric::PRICE_CALCULATIONS.prometheus_name(), &[(metric::OUTCOME, outcome)]);
        Some(format!("{:.0}, {:.0}", outcome(metric::CALCULATED)?, outcome(metric::FAILED)?))
    }),
    ("failed logins", |now, _| whole(of(now, &metric::LOGIN_FAILURES))),
    ("throttled logins", |now, _| whole(of(now, &metric::THROTTLED))),
    ("lines that could not be written", |now, _| whole(of(now, &metric::UNWRITTEN_LINES))),
    ("database connections: used, most", |now, _| {
        let used =
            now.sum(&metric::CONNECTIONS.prometheus_name(), &[(label(metric::CONNECTION_STATE).as_str(), "used")])?;
        Some(format!("{used:.0}, {:.0}", of(now, &metric::MOST_CONNECTIONS)?))
    }),
    ("memory", |now, _| Some(format!("{:.1} MiB", of(now, &metric::MEMORY)? / 1024.0 / 1024.0))),
    ("processors", |now, before| rate(now, before, |samples| of(samples, &metric::CPU_TIME))),
];

/// The sum of all series of a metric.
fn of(samples: &Samples, metric: &Metric) -> Option<f64> {
    samples.sum(&metric.prometheus_name(), &[])
}

/// Requests whose status fits.
fn requests(samples: &Samples, fits: fn(&str) -> bool) -> Option<f64> {
    let status = label(field::HTTP_RESPONSE_STATUS_CODE);
    let fits = |sample: &Sample| sample.labels.get(&status).is_some_and(|status| fits(status));
    samples.sum_where(&format!("{}_count", metric::REQUEST_DURATION.prometheus_name()), fits)
}

fn waiting(samples: &Samples, count: &Metric, age: &Metric) -> Option<String> {
    let count = of(samples, count)?;
    let age = of(samples, age).filter(|_| count > 0.0).map(|age| format!(", {}", length(age)));
    Some(format!("{count:.0}{}", age.unwrap_or_default()))
}

/// How much a counter grew in a second. One that is less than before has begun anew.
fn rate(now: &Samples, before: Before<'_>, counter: impl Fn(&Samples) -> Option<f64>) -> Option<String> {
    let (before, seconds) = before?;
    let (now, before) = (counter(now)?, counter(before).unwrap_or_default());
    let grown = if now < before { now } else { now - before };
    Some(format!("{:.2}", grown / seconds))
}

fn whole(value: Option<f64>) -> Option<String> {
    value.map(|value| format!("{value:.0}"))
}

/// A label's name as Prometheus shows it.
fn label(name: &str) -> String {
    name.replace('.', "_")
}

/// A length of time in a unit that fits.
fn length(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Samples {
        Samples::parse(text).unwrap()
    }

    #[test]
    fn a_counter_that_began_anew_counts_from_zero() {
        let (before, now) = (samples("a 100"), samples("a 130"));
        let counter = |samples: &Samples| samples.sum("a", &[]);
        assert_eq!(rate(&now, Some((&before, 60.0)), counter).as_deref(), Some("0.50"));
        assert_eq!(rate(&samples("a 30"), Some((&before, 60.0)), counter).as_deref(), Some("0.50"));
        assert_eq!(rate(&now, None, counter), None);
    }

    #[test]
    fn an_order_in_each_status_is_shown_with_its_age() {
        let text = "alexandrite_order_status_changes_total{order_status=\"SHIPPED\"} 3\n\
                    alexandrite_orders{order_status=\"SHIPPED\"} 1\n\
                    alexandrite_orders_oldest_age_seconds{order_status=\"SHIPPED\"} 7300\n";
        assert_eq!(of_status(&samples(text), "SHIPPED").as_deref(), Some("3, 1, 2.0 h"));
        assert_eq!(of_status(&samples(text), "CLOSED"), None);
    }
}
