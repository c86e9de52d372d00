//! The metrics: every instrument with its unit, its meaning and its labels. A name comes from OpenTelemetry's semantic
//! conventions if it has one, else it is Alexandrite's own.

use crate::{field, order_statuses::ORDER_STATUSES, service::Service};

/// What kind of instrument it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// How often values up to each of these bounds were measured.
    Histogram(&'static [f64]),
}

/// Where the value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the process: a counter begins at 0 with each start. Each replica reports its own part.
    Process,
    /// In the service's database: true over restarts and replicas. One replica of the service reports it.
    Database,
    /// In the broker: one replica of the service reports it.
    Broker,
}

/// What a label can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    Listed(&'static [&'static str]),
    /// A route's template, or `UNMATCHED`.
    Routes,
    /// The status of an HTTP response.
    StatusCodes,
}

/// A label with its bounded values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    /// What it can say.
    pub values: Values,
}

/// An instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The name in OpenTelemetry.
    pub name: &'static str,
    /// The kind of instrument.
    pub kind: Kind,
    /// The unit, as UCUM has it (<https://ucum.org>).
    pub unit: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// The labels.
    pub labels: &'static [Label],
    /// The services that have it.
    pub services: &'static [Service],
    /// Where the value is kept.
    pub origin: Origin,
}

/// The most combinations of an HTTP route, a method and a status that are counted apart; further ones are counted together.
const MOST_OPERATIONS: usize = 500;

impl Metric {
    /// The most series that one process has of it.
    #[must_use]
    pub fn most_series(&self) -> usize {
        let product = self.labels.iter().try_fold(1, |product, label| match label.values {
            Values::Listed(values) => Some(product * values.len()),
            Values::Routes | Values::StatusCodes => None,
        });
        product.unwrap_or(MOST_OPERATIONS)
    }

    /// The name as Prometheus shows it, by OpenTelemetry's rules
    /// (<https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>).
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

/// The methods of HTTP that are counted apart.
pub const METHODS: &[&str] = &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", OTHER];
/// What a label says instead of a value that isn't among its own.
pub const OTHER: &str = "_OTHER";
/// The types of messages that are counted apart.
pub const MESSAGE_TYPES: &[&str] = &[
    "order.submitted",
    "order.approved",
    "order.partner_submitted",
    "order.priced",
    "order.price_failed",
    "order.progressed",
    OTHER,
];
/// A price was calculated.
pub const CALCULATED: &str = "calculated";
/// A price could not be calculated.
pub const FAILED: &str = "failed";
/// It worked.
pub const SUCCESS: &str = "success";
/// It didn't.
pub const FAILURE: &str = "failure";
/// The label of what became of something.
pub const OUTCOME: &str = "outcome";
/// The label of a connection's state.
pub const CONNECTION_STATE: &str = "db.client.connection.state";
/// The label of what a processor's time was spent in.
pub const CPU_MODE: &str = "cpu.mode";

const METHOD: Label = Label { name: field::HTTP_REQUEST_METHOD, values: Values::Listed(METHODS) };
const ROUTE: Label = Label { name: field::HTTP_ROUTE, values: Values::Routes };
const STATUS_CODE: Label = Label { name: field::HTTP_RESPONSE_STATUS_CODE, values: Values::StatusCodes };
const MESSAGE_TYPE: Label = Label { name: field::MESSAGING_MESSAGE_TYPE, values: Values::Listed(MESSAGE_TYPES) };
const STATUS: Label = Label { name: field::ORDER_STATUS, values: Values::Listed(&ORDER_STATUSES) };
const PRICE_OUTCOME: Label = Label { name: OUTCOME, values: Values::Listed(&[CALCULATED, FAILED]) };
const PROCESS_OUTCOME: Label = Label { name: OUTCOME, values: Values::Listed(&[SUCCESS, FAILURE]) };
const EXTENSION: Label = Label { name: field::FILE_EXTENSION, values: Values::Listed(&["stl", "obj", "3mf"]) };
const STATE: Label = Label { name: CONNECTION_STATE, values: Values::Listed(&["idle", "used"]) };
const MODE: Label = Label { name: CPU_MODE, values: Values::Listed(&["user", "system"]) };

/// The bounds that the semantic convention has for durations of requests, in seconds.
const REQUEST_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// From a small file to one that takes a processor for minutes, in seconds.
const CALCULATION_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
/// From a few triangles to the largest model, in bytes.
const FILE_BYTES: &[f64] = &[1e4, 1e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7, 5e7, 1e8, 1e9];

const ALL_SERVICES: &[Service] = &Service::ALL;
const APIS: &[Service] = &Service::APIS;
const SHOPS: &[Service] = &[Service::ShopApi, Service::CrmApi];
const MESSENGERS: &[Service] = &[Service::CrmApi, Service::MesApi];
const MES: &[Service] = &[Service::MesApi];

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:expr, $unit:literal, $labels:expr, $services:ident, $origin:ident, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                unit: $unit,
                meaning: $meaning,
                labels: &$labels,
                services: $services,
                origin: Origin::$origin,
            };
        )*

        /// Every metric, in the dictionary's order.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    REQUEST_DURATION = "http.server.request.duration", Histogram(REQUEST_SECONDS), "s", [METHOD, ROUTE, STATUS_CODE], ALL_SERVICES, Process, "How long requests took, until the response's head was ready.";
    ACTIVE_REQUESTS = "http.server.active_requests", Gauge, "{request}", [METHOD], ALL_SERVICES, Process, "Requests that are being handled.";
    UNFINISHED_CONNECTIONS = "alexandrite.connections.unfinished", Counter, "{connection}", [], ALL_SERVICES, Process, "Connections that ended without one whole request, because none came in time.";
    PUBLISHED_MESSAGES = "messaging.client.published.messages", Counter, "{message}", [MESSAGE_TYPE], MESSENGERS, Process, "Messages that the broker has confirmed.";
    PROCESS_DURATION = "messaging.process.duration", Histogram(REQUEST_SECONDS), "s", [MESSAGE_TYPE, PROCESS_OUTCOME], MESSENGERS, Process, "How long a message took from its delivery to its effect, with all attempts; `failure` became a dead letter.";
    CONNECTIONS = "db.client.connection.count", Gauge, "{connection}", [STATE], APIS, Process, "Connections to the database.";
    MOST_CONNECTIONS = "db.client.connection.max", Gauge, "{connection}", [], APIS, Process, "Connections to the database at most.";
    CPU_TIME = "process.cpu.time", Counter, "s", [MODE], ALL_SERVICES, Process, "Time of processors that the process has used.";
    MEMORY = "process.memory.usage", Gauge, "By", [], ALL_SERVICES, Process, "Memory that the process has (resident set).";
    FILE_DESCRIPTORS = "process.unix.file_descriptor.count", Gauge, "{file_descriptor}", [], ALL_SERVICES, Process, "Files and connections that the process has open.";
    STATUS_CHANGES = "alexandrite.order.status_changes", Counter, "{change}", [STATUS], APIS, Database, "Changes of orders' statuses that this service has made, by the new status; `INITIATED` is an order's creation.";
    ORDERS = "alexandrite.orders", Gauge, "{order}", [STATUS], APIS, Database, "Orders that are in this status now. Shop and CRM share a database and say the same. The MES says 0 for `SHIPPED`, its last status.";
    OLDEST_ORDER = "alexandrite.orders.oldest_age", Gauge, "s", [STATUS], APIS, Database, "How long the longest-waiting order has been in this status; 0 if there is none. `CLOSED` orders wait for nothing, nor do `SHIPPED` ones in the MES.";
    STUCK_ORDERS = "alexandrite.orders.stuck", Gauge, "{order}", [STATUS], SHOPS, Database, "Orders that were reported as stuck in this status and are in it still; 0 for `INITIATED` and `FILE_UPLOADED`, where the customer has to act.";
    PRICE_CALCULATIONS = "alexandrite.price.calculations", Counter, "{calculation}", [PRICE_OUTCOME], MES, Database, "Price calculations that ended.";
    PRICE_DURATION = "alexandrite.price.calculation.duration", Histogram(CALCULATION_SECONDS), "s", [PRICE_OUTCOME], MES, Process, "How long a price calculation took.";
    OUTBOX = "alexandrite.outbox.messages", Gauge, "{message}", [], APIS, Database, "Messages that wait for the broker.";
    OUTBOX_AGE = "alexandrite.outbox.oldest_age", Gauge, "s", [], APIS, Database, "How long the longest-waiting of them has waited; 0 if there is none.";
    JOURNAL = "alexandrite.journal.records", Gauge, "{record}", [], APIS, Database, "Records of changes that may not be in the log yet.";
    JOURNAL_AGE = "alexandrite.journal.oldest_age", Gauge, "s", [], APIS, Database, "How long the longest-waiting of them has waited; 0 if there is none.";
    DEAD_LETTERS = "alexandrite.dead_letters", Gauge, "{message}", [], MESSENGERS, Broker, "Messages that the service could not handle and that wait for a person.";
    DUPLICATES = "alexandrite.inbox.duplicates", Counter, "{message}", [], MESSENGERS, Process, "Messages that came again and had their effect before.";
    LOGIN_FAILURES = "alexandrite.login.failures", Counter, "{login}", [], ALL_SERVICES, Process, "Logins that were refused.";
    THROTTLED = "alexandrite.throttled_requests", Counter, "{request}", [], ALL_SERVICES, Process, "Logins and registrations that had to wait (`429`).";
    UPLOADED_BYTES = "alexandrite.model.upload.size", Histogram(FILE_BYTES), "By", [EXTENSION], APIS, Process, "Sizes of the 3D models that were uploaded.";
    UNWRITTEN_LINES = "alexandrite.log.unwritten_lines", Counter, "{line}", [], ALL_SERVICES, Process, "Attempts to write a line of the log that failed. Lines of changes are in the journal and are written later.";
}
