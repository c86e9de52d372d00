//! The history of a run: what each client called, and what it was told, in a file of one JSON object per line.
//!
//! Each line is an event with `operation` (its number), `at_ns` (nanoseconds since the run began, of a monotonic clock) and
//! `event`:
//!
//! | `event` | meaning | further members |
//! |---|---|---|
//! | `invoke` | A request is about to be sent. | `client` (an account, `partner` or `carrier`), `replica`, `call` with its arguments |
//! | `ok` | It was done. | `answer` |
//! | `fail` | It was refused (4xx) and has changed nothing. | `answer` |
//! | `unknown` | The connection broke, or the service failed (5xx): it may have been done, or may be done later. | `reason` |
//!
//! An operation without a second line is `unknown` as well. Each try of a request that is retried is an operation of its
//! own. Calls are listed at [`Call`]; an answer has the members of the response's body that a promise is about. The events
//! are those of Jepsen, whose `info` is `unknown` here; calls and returns with their times are what porcupine reads.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result};
use common::domain::{OrderStatus, Price};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub(crate) enum Call {
    /// A new order, with an `Idempotency-Key`.
    Create { key: String },
    /// A model for an order, by its SHA-256.
    Upload { order: String, model: String },
    /// The next status of an order. A delivery is one, too.
    Advance { order: String, to: OrderStatus },
    /// An order for the operator that calls.
    Take { order: String },
    /// An order with its history.
    Read { order: String },
    /// One page of all orders, newest first. The pages of one walk follow one another.
    List {
        walk: String,
        limit: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// The account of a session, by a name for the session.
    UseSession { session: String },
    /// The end of a session.
    EndSession { session: String },
}

/// The members of a response's body that a promise is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// An order.
    Order(SeenOrder),
    /// A page of orders' ids, and whether there is a next one.
    Page { orders: Vec<String>, is_last: bool },
    /// A problem's code and text.
    Problem { code: String, detail: String },
    /// Something else.
    Other,
}

/// An order as a response shows it. Its members are named as there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenOrder {
    pub(crate) id: String,
    pub(crate) status: OrderStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operator_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) price: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<SeenModel>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<SeenChange>,
}

/// An order's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenModel {
    pub(crate) sha256: String,
}

/// A change in an order's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenChange {
    pub(crate) status: OrderStatus,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok(Answer),
    Fail(Answer),
    Unknown,
}

/// A call with its end.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) number: u64,
    pub(crate) client: String,
    /// The service and which of its processes, such as `mes-api/1`.
    pub(crate) replica: String,
    pub(crate) call: Call,
    /// Nanoseconds since the run began.
    pub(crate) invoked: u64,
    /// The same; [`u64::MAX`] if it is unknown whether it took effect, as it may still do so.
    pub(crate) completed: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    operation: u64,
    at_ns: u64,
    #[serde(flatten)]
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Invoke {
        client: String,
        replica: String,
        #[serde(flatten)]
        call: Call,
    },
    Ok {
        answer: Answer,
    },
    Fail {
        answer: Answer,
    },
    Unknown {
        reason: String,
    },
}

impl Answer {
    /// What a response's body says.
    pub(crate) fn of(body: &Value) -> Self {
        if let Ok(order) = serde_json::from_value(body.clone()) {
            return Self::Order(order);
        }
        let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
        if let Some(items) = body["items"].as_array() {
            let orders = items.iter().map(|order| text(&order["id"])).collect();
            return Self::Page { orders, is_last: body["next"].is_null() };
        }
        if body["code"].is_string() {
            return Self::Problem { code: text(&body["code"]), detail: text(&body["detail"]) };
        }
        Self::Other
    }
}

impl Outcome {
    /// How an operation with this response has ended.
    pub(crate) fn of(http_status: u16, body: &Value) -> Self {
        match http_status {
            200..300 => Self::Ok(Answer::of(body)),
            400..500 => Self::Fail(Answer::of(body)),
            _ => Self::Unknown,
        }
    }
}

impl Operation {
    /// The order of a successful answer.
    pub(crate) fn seen(&self) -> Option<&SeenOrder> {
        match &self.outcome {
            Outcome::Ok(Answer::Order(order)) => Some(order),
            _ => None,
        }
    }

    /// The code of a refusal.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Fail(Answer::Problem { code, .. }) => Some(code),
            _ => None,
        }
    }

    /// The order that it is about, as far as it is known.
    pub(crate) fn order(&self) -> Option<&str> {
        match &self.call {
            Call::Upload { order, .. } | Call::Advance { order, .. } | Call::Take { order } | Call::Read { order } => {
                Some(order)
            }
            Call::Create { .. } => self.seen().map(|order| order.id.as_str()),
            Call::List { .. } | Call::UseSession { .. } | Call::EndSession { .. } => None,
        }
    }

    /// The database that the replica reads and writes: shop and CRM share one.
    pub(crate) fn database(&self) -> &'static str {
        if self.replica.starts_with("mes") { "mes" } else { "shop" }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, client, replica, call, outcome, .. } = self;
        let end = if self.completed == u64::MAX { "…".to_owned() } else { milliseconds(self.completed) };
        write!(f, "{number} [{}, {end}] {client} at {replica}: {call:?} → {outcome:?}", milliseconds(self.invoked))
    }
}

fn milliseconds(nanoseconds: u64) -> String {
    format!("{} ms", nanoseconds / 1_000_000)
}

/// Writes a history while it happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Instant,
    operations: AtomicU64,
    file: Mutex<BufWriter<File>>,
}

impl Recorder {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { began: Instant::now(), operations: AtomicU64::new(0), file: Mutex::new(BufWriter::new(file)) })
    }

    /// Notes that a request is about to be sent. Returns the operation's number.
    pub(crate) fn invoke(&self, client: &str, replica: &str, call: &Call) -> Result<u64> {
        let operation = self.operations.fetch_add(1, Ordering::Relaxed);
        let event = Event::Invoke { client: client.to_owned(), replica: replica.to_owned(), call: call.clone() };
        self.write(operation, event).map(|()| operation)
    }

    /// Notes how an operation has ended; the reason is for one whose end is unknown.
    pub(crate) fn complete(&self, operation: u64, outcome: Outcome, reason: String) -> Result<()> {
        let event = match outcome {
            Outcome::Ok(answer) => Event::Ok { answer },
            Outcome::Fail(answer) => Event::Fail { answer },
            Outcome::Unknown => Event::Unknown { reason },
        };
        self.write(operation, event)
    }

    fn write(&self, operation: u64, event: Event) -> Result<()> {
        let at_ns = u64::try_from(self.began.elapsed().as_nanos())?;
        let line = serde_json::to_string(&Line { operation, at_ns, event })?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").context("writing the history")
    }

    /// Brings all that was noted into the file.
    pub(crate) fn flush(&self) -> Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush().context("writing the history")
    }
}

/// Reads a history. Operations are in the sequence of their invocations.
pub(crate) fn read(path: &Path) -> Result<Vec<Operation>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    parse(BufReader::new(file).lines().map(|line| Ok(line?)))
}

fn parse(lines: impl Iterator<Item = Result<String>>) -> Result<Vec<Operation>> {
    let mut operations = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Line { operation: number, at_ns, event } =
            serde_json::from_str(&line).with_context(|| format!("reading an event: {line}"))?;
        let outcome = match event {
            Event::Invoke { client, replica, call } => {
                let (completed, outcome) = (u64::MAX, Outcome::Unknown);
                operations
                    .insert(number, Operation { number, client, replica, call, invoked: at_ns, completed, outcome });
                continue;
            }
            Event::Unknown { .. } => continue,
            Event::Ok { answer } => Outcome::Ok(answer),
            Event::Fail { answer } => Outcome::Fail(answer),
        };
        let operation = operations.get_mut(&number).with_context(|| format!("{number} ends and has not begun"))?;
        (operation.completed, operation.outcome) = (at_ns, outcome);
    }
    let mut operations: Vec<Operation> = operations.into_values().collect();
    operations.sort_by_key(|operation| operation.invoked);
    Ok(operations)
}

/// The operations of each order in each database, by the sequence of their invocations.
pub(crate) fn by_order(history: &[Operation]) -> BTreeMap<(&str, &'static str), Vec<&Operation>> {
    let mut orders: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for operation in history {
        if let Some(order) = operation.order() {
            orders.entry((order, operation.database())).or_default().push(operation);
        }
    }
    orders
}

/// The operations of a text in the form of the file, for tests of promises.
#[cfg(test)]
pub(crate) fn of(text: &str) -> Vec<Operation> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    parse(lines.map(|line| Ok(line.to_owned()))).expect("a history")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_recorded_is_read_again() {
        let path = std::env::temp_dir().join(format!("alexandrite-history-{}.jsonl", std::process::id()));
        let recorder = Recorder::create(&path).unwrap();
        let take = Call::Take { order: "A-100000".into() };
        let done = recorder.invoke("ada", "mes-api/0", &take).unwrap();
        let broken = recorder.invoke("bob", "mes-api/1", &take).unwrap();
        let refused = recorder.invoke("bob", "mes-api/0", &take).unwrap();
        let lost =
            recorder.invoke("bob", "mes-api/1", &Call::List { walk: "1".into(), limit: 50, after: None }).unwrap();
        let body = json!({
            "id": "A-100000", "status": "MANUFACTURING_STARTED", "operator_id": "ada", "quantity": 1,
            "price": {"amount_minor": 5, "currency": "EUR"}, "model": {"sha256": "00", "bytes": 7},
            "history": [{"status": "INITIATED", "at": "2026-01-01T00:00:00Z"}],
        });
        recorder.complete(done, Outcome::of(200, &body), String::new()).unwrap();
        recorder.complete(broken, Outcome::of(503, &json!({})), "503".into()).unwrap();
        let problem = json!({"code": "status_repeated", "detail": "It is taken.", "status": 409});
        recorder.complete(refused, Outcome::of(409, &problem), String::new()).unwrap();
        recorder.flush().unwrap();

        let operations = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();

        assert_eq!(
            operations.iter().map(|operation| operation.number).collect::<Vec<_>>(),
            [done, broken, refused, lost]
        );
        let seen = operations[0].seen().unwrap();
        assert_eq!((seen.id.as_str(), seen.status), ("A-100000", OrderStatus::ManufacturingStarted));
        assert_eq!(seen.history[0].status, OrderStatus::Initiated);
        assert!(operations[0].invoked < operations[0].completed);
        assert_eq!((operations[1].completed, operations[3].completed), (u64::MAX, u64::MAX));
        assert_eq!(operations[2].refusal(), Some("status_repeated"));
    }

    #[test]
    fn a_page_has_the_ids_and_whether_it_is_the_last_one() {
        let first = Answer::of(&json!({"items": [{"id": "A-1"}, {"id": "A-2"}], "next": "x"}));
        assert_eq!(first, Answer::Page { orders: vec!["A-1".into(), "A-2".into()], is_last: false });
        let last = Answer::of(&json!({"items": []}));
        assert_eq!(last, Answer::Page { orders: Vec::new(), is_last: true });
    }
}
