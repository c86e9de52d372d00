//! The records that the services of this process have written.

use std::{
    io,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use catalogue::{Action, Service, record::violations};
use common::telemetry;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use serde_json::{Value, json};
use tracing_bunyan_formatter::JsonStorageLayer;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{Response, eventually};

pub use crate::log::Record;

/// What the services of this process have logged.
static LOG: Mutex<Log> = Mutex::new(Log { unread: Vec::new(), records: Vec::new() });

/// Each line is read once: tests look often, and the services of all tests write here.
struct Log {
    /// The lines since the last look.
    unread: Vec<u8>,
    /// The records before them.
    records: Vec<Record>,
}

impl Log {
    fn lock() -> MutexGuard<'static, Self> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is new. A line that is no record stays, for every later look to fail as well.
    fn read(&mut self) {
        let lines = self.unread.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let new: Vec<Record> = lines.map(|line| serde_json::from_slice(line).expect("a record")).collect();
        self.unread.clear();
        self.records.extend(new);
    }
}

fn append(line: &[u8]) -> io::Result<()> {
    Log::lock().unread.extend_from_slice(line);
    Ok(())
}

/// Sets tracing up as a service's `main` does, with the records held here instead of written out.
pub(crate) fn capture(service: Service) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        telemetry::redirect(append);
        let events = telemetry::events(service.name());
        let spans = tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::default().tracer("tests"));
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let filter = tracing_subscriber::EnvFilter::new(telemetry::DEFAULT_FILTER);
        tracing_subscriber::registry().with(filter).with(spans).with(JsonStorageLayer).with(events).init();
    });
}

/// Every record that the services of this process have written so far with this value in this field, the oldest first.
///
/// # Panics
///
/// If a line is no JSON object.
#[must_use]
pub fn records_with(field: &str, value: &str) -> Vec<Record> {
    let mut log = Log::lock();
    log.read();
    log.records.iter().filter(|record| record.get(field).is_some_and(|found| found == value)).cloned().collect()
}

/// The records of the request with this response.
///
/// # Panics
///
/// If the response doesn't name its request.
#[must_use]
pub fn records_of(response: &Response) -> Vec<Record> {
    records_with("http.request.id", response.header("x-request-id").expect("every response names its request"))
}

/// The same; each of them is as the catalogue says.
///
/// # Panics
///
/// If one is not.
#[must_use]
pub fn valid_records_of(response: &Response) -> Vec<Record> {
    let records = records_of(response);
    records.iter().for_each(assert_valid);
    records
}

/// Asserts that a record is as the catalogue says.
///
/// # Panics
///
/// If it is not.
#[track_caller]
pub fn assert_valid(record: &Record) {
    assert_eq!(violations(record), [""; 0], "{record:?}");
}

/// Waits for the `http.request` record of a request whose response the client may not have received.
///
/// # Panics
///
/// If there is none after a minute.
pub async fn request_record(request_id: &str) -> Record {
    eventually("the request's record", async || {
        records_with("http.request.id", request_id).pop().ok_or("there is none")
    })
    .await
}

/// What these records report, in their order.
///
/// # Panics
///
/// If one has no action.
#[must_use]
pub fn actions(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record["event.action"].as_str().expect("an action")).collect()
}

/// The actions of records, each with the statuses that it reports: `order.status_changed SUBMITTED PRICE_CALCULATED`.
///
/// # Panics
///
/// If a record is not as the catalogue says.
#[must_use]
pub fn summary(records: &[Record]) -> Vec<String> {
    let fields = ["event.action", "order.status_from", "order.status", "order.price_status_from", "order.price_status"];
    let line = |record: &Record| {
        assert_valid(record);
        let words = fields.iter().filter_map(|name| record.get(*name)?.as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    records.iter().map(line).collect()
}

/// Asserts the record's fields beside those of every record.
///
/// # Panics
///
/// If one is missing, another one, or has another value.
#[track_caller]
pub fn assert_fields(record: &Record, expected: &Value) {
    const EVERYWHERE: [&str; 9] =
        ["v", "name", "msg", "level", "hostname", "pid", "time", "trace.id", "http.request.id"];
    let mut fields = record.clone();
    for name in EVERYWHERE {
        assert!(fields.remove(name).is_some(), "no {name} in {record:?}");
    }
    // Changes have an id of their own, and nothing else has one.
    let action = record["event.action"].as_str().and_then(Action::from_name).expect("an action");
    let is_change = record["event.outcome"] == "success" && action.reports_change();
    assert_eq!(fields.remove("event.id").is_some(), is_change, "{record:?}");
    assert_eq!(Value::Object(fields), *expected);
}

/// Takes the time in the status before out of a record: `hours`, and at most six minutes more.
///
/// # Panics
///
/// If it isn't there, or is another one.
#[track_caller]
pub fn take_hours_in_status(record: &mut Record, hours: f64) {
    let found = record.remove("order.status_from_hours").and_then(|found| found.as_f64());
    assert!(found.is_some_and(|found| (hours..hours + 0.1).contains(&found)), "{found:?} hours");
}

/// Asserts that the records of a request are these changes, in this order, and the request's own; returns the latter.
///
/// # Panics
///
/// If they are not.
#[track_caller]
pub fn assert_changes(mut records: Vec<Record>, changes: &[Value]) -> Record {
    let request = records.pop().expect("the request's record");
    assert_eq!(request["event.action"], "http.request");
    assert_eq!(records.len(), changes.len(), "{records:?}");
    for (record, expected) in records.iter_mut().zip(changes) {
        if record["event.action"] == "order.status_changed" {
            take_hours_in_status(record, 0.0);
        }
        assert_eq!(record["level"], 30);
        assert_eq!(record["trace.id"], request["trace.id"]);
        assert_fields(record, expected);
    }
    request
}

/// The one ERROR record of a request that failed for a reason of ours; its own record is none, unless there is no other.
///
/// # Panics
///
/// If it is otherwise.
#[track_caller]
pub fn only_error(response: &Response) -> Record {
    let (errors, others): (Vec<_>, Vec<_>) =
        valid_records_of(response).into_iter().partition(|record| record["level"] == 50);
    let [error] = &errors[..] else { panic!("one failure is one ERROR record: {errors:?}") };
    assert_eq!(error["event.outcome"], "failure");
    let chain = error["error.message"].as_str().expect("a chain");
    assert!(chain.contains(": "), "no cause in {chain}");
    if error["event.action"] != "http.request" {
        let [request] = &others[..] else { panic!("one record for the request: {others:?}") };
        assert_eq!((&request["event.action"], &request["level"]), (&json!("http.request"), &json!(30)));
        assert_eq!(request["http.response.status_code"], response.status);
    }
    error.clone()
}

/// Asserts that a request that the client got wrong has its own record, which is no error, and with `403` the one that access
/// was denied.
///
/// # Panics
///
/// If it is otherwise.
#[track_caller]
pub fn assert_no_error(response: &Response) {
    assert!((400..500).contains(&response.status), "{}", response.status);
    let mut records = valid_records_of(response);
    if response.status == 403 {
        let denied = records.remove(0);
        assert_eq!((&denied["event.action"], &denied["level"]), (&json!("auth.access_denied"), &json!(40)));
    }
    let [record] = &records[..] else { panic!("the request's record and no other: {records:?}") };
    assert_eq!((&record["event.action"], &record["level"]), (&json!("http.request"), &json!(30)));
    assert_eq!(record["http.response.status_code"], response.status);
    assert!(!record.contains_key("error.type"));
}
