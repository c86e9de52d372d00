//! The fields of a record. A name comes from ECS if it has one, else from OpenTelemetry's semantic conventions, else it
//! is Alexandrite's own.

/// The type of a field in Elasticsearch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An exact value, for filters and aggregations.
    Keyword,
    /// A whole number.
    Long,
    /// A number with a fraction.
    Double,
    /// A point in time, to the nanosecond.
    DateNanos,
    /// An IP address.
    Ip,
    /// Analysed text, for full-text search.
    Text,
}

/// The origin of a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Elastic Common Schema.
    Ecs,
    /// OpenTelemetry's semantic conventions.
    OpenTelemetry,
    /// The core of a bunyan record.
    Bunyan,
    /// Alexandrite's own.
    Alexandrite,
}

/// One entry of the dictionary.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in the record.
    pub name: &'static str,
    /// The type in Elasticsearch.
    pub kind: Kind,
    /// The origin of the name.
    pub origin: Origin,
    /// The meaning, with the unit.
    pub meaning: &'static str,
}

macro_rules! dictionary {
    ($($constant:ident = $name:literal, $kind:ident, $origin:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*

        /// Every field a record may carry, in the dictionary's order.
        pub const ALL: &[Field] =
            &[$(Field { name: $name, kind: Kind::$kind, origin: Origin::$origin, meaning: $meaning }),*];
    };
}

dictionary! {
    BUNYAN_VERSION = "v", Long, Bunyan, "Version of the record's format: 0.";
    NAME = "name", Keyword, Bunyan, "The service that wrote the record: `shop-api`, `crm-api`, `mes-api` or `support-web`.";
    MESSAGE = "msg", Text, Bunyan, "The event as a sentence for people; each of its values is also in a field.";
    LEVEL = "level", Long, Bunyan, "30 information, 40 warning, 50 error.";
    HOSTNAME = "hostname", Keyword, Bunyan, "The machine or container.";
    PID = "pid", Long, Bunyan, "The process id on its machine.";
    TIME = "time", DateNanos, Bunyan, "When the record was made (RFC 3339, UTC); for a change, just before its commit.";
    TIMESTAMP = "@timestamp", DateNanos, Ecs, "The same as `time`; added on the way to Elasticsearch, never written by a service.";
    TRACE_ID = "trace.id", Keyword, Ecs, "The W3C trace that the request or message belongs to, 32 hex digits.";
    HTTP_REQUEST_ID = "http.request.id", Keyword, Ecs, "The request's id, also in the response's `X-Request-Id`.";
    EVENT_ID = "event.id", Keyword, Ecs, "The change's id (UUID version 7), on the record of every change; also the document's `_id`, so that a change has at most one document.";
    EVENT_ACTION = "event.action", Keyword, Ecs, "What happened: one of the actions above.";
    EVENT_CATEGORY = "event.category", Keyword, Ecs, "ECS's category of an event about access: `authentication`, `iam` or `api`.";
    EVENT_TYPE = "event.type", Keyword, Ecs, "ECS's type within that category, such as `start`, `end`, `denied` or `creation`.";
    EVENT_OUTCOME = "event.outcome", Keyword, Ecs, "`success` or `failure`.";
    EVENT_DURATION = "event.duration", Long, Ecs, "The duration, in nanoseconds; of a change that came to the MES by a message: how long it was on its way.";
    ORDER_ID = "order.id", Keyword, Alexandrite, "The order's number: `A-…` from shop or CRM, `P-…` from a partner.";
    ORDER_STATUS = "order.status", Keyword, Alexandrite, "The status that the order has now.";
    ORDER_STATUS_FROM = "order.status_from", Keyword, Alexandrite, "The status that the order had before.";
    ORDER_STATUS_FROM_HOURS = "order.status_from_hours", Double, Alexandrite, "How long the order was in the status before, in hours.";
    ORDER_AGE_HOURS = "order.age_hours", Double, Alexandrite, "How long the order has been waiting, in hours: in its status, or since it was submitted (`order.overdue`).";
    ORDER_PRICE_STATUS = "order.price_status", Keyword, Alexandrite, "The price calculation's status: `QUEUED`, `CALCULATING`, `CALCULATED` or `FAILED`.";
    ORDER_PRICE_STATUS_FROM = "order.price_status_from", Keyword, Alexandrite, "The price calculation's status before; `NONE` when a price is requested for the first time.";
    CUSTOMER_ID = "customer.id", Keyword, Alexandrite, "The customer's account.";
    PARTNER_ID = "partner.id", Keyword, Alexandrite, "The partner company's account.";
    OPERATOR_ID = "operator.id", Keyword, Alexandrite, "The account of the operator who has the order.";
    MODEL_TRIANGLES = "model.triangles", Long, Alexandrite, "The 3D model's number of triangles; 0 if it could not be read.";
    MODEL_UNIT = "model.unit", Keyword, Alexandrite, "The unit of length that the 3D model is drawn in: `mm`, `cm`, `m`, `in`, `ft` or `micron`; absent as long as a 3MF file's isn't known.";
    MODEL_MENDED = "model.mended", Keyword, Alexandrite, "What the reader has put right in the 3D model, one or more of `welded`, `reoriented`, `turned` and `left_out`; absent if nothing.";
    MODEL_OVERLAPPING_BODIES = "model.overlapping_bodies", Long, Alexandrite, "How many of the 3D model's bodies overlap another one, so that what they share is priced more than once; absent if none.";
    FILE_SIZE = "file.size", Long, Ecs, "The model file's size in bytes.";
    FILE_EXTENSION = "file.extension", Keyword, Ecs, "The model's format: `stl`, `obj` or `3mf`.";
    MESSAGING_MESSAGE_ID = "messaging.message.id", Keyword, OpenTelemetry, "The message's id, the same for sender and receiver.";
    MESSAGING_MESSAGE_TYPE = "messaging.message.type", Keyword, Alexandrite, "The message's type; also its AMQP `type` and routing key.";
    ERROR_TYPE = "error.type", Keyword, Ecs, "The error's type: one of the values above, to group and count by.";
    ERROR_MESSAGE = "error.message", Text, Ecs, "The error with the whole chain of its causes.";
    USER_ID = "user.id", Keyword, Ecs, "The account of the request.";
    USER_ROLES = "user.roles", Keyword, Ecs, "The role that the account has now.";
    USER_HASH = "user.hash", Keyword, Ecs, "A keyed hash of a login that belongs to no account; the login itself is never logged.";
    SOURCE_IP = "source.ip", Ip, Ecs, "The client's address, cut to its network: /24 (IPv4) or /48 (IPv6); of a request if its response was 4xx.";
    AUTH_FAILURES = "auth.failures", Long, Alexandrite, "Failed logins of this account, or of the login that no account has, in a row within 15 minutes, over all replicas; for `auth.source_failed_repeatedly`, those of the address within 15 minutes; for `auth.orders_probed`, such requests in a row.";
    HTTP_REQUEST_METHOD = "http.request.method", Keyword, Ecs, "The request's method.";
    HTTP_ROUTE = "http.route", Keyword, OpenTelemetry, "The matched route's template; `UNMATCHED` if none matched.";
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code", Long, Ecs, "The response's status; 499 if the client disconnected before it.";
    EVENT_ORIGINAL = "event.original", Text, Ecs, "A line that is no record, unchanged; added by the shipper, never written by a service.";
    LOG_FILE_PATH = "log.file.path", Keyword, Ecs, "The file of such a line; added by the shipper.";
    CONTAINER_ID = "container.id", Keyword, Ecs, "The container that wrote the line, if any; added by the shipper, never written by a service.";
    CONNECTIONS_UNFINISHED = "connections.unfinished", Long, Alexandrite, "Connections that ended without one whole request, because none came within `HEADER_SECONDS`: those since the heartbeat before.";
    OUTBOX_MESSAGES = "outbox.messages", Long, Alexandrite, "Messages that wait for the broker; on the heartbeat of the replica that counts.";
    OUTBOX_AGE_SECONDS = "outbox.age_seconds", Double, Alexandrite, "How long the longest-waiting of them has waited, in seconds; 0 if there is none.";
    JOURNAL_AGE_SECONDS = "journal.age_seconds", Double, Alexandrite, "How long the record of a change has waited at most to be in the log, in seconds; 0 if none waits; on the heartbeat of the replica that counts.";
    SERVICE_STATE = "service.state", Keyword, Ecs, "`ready`, `degraded`, `stopping` or `stopped`.";
}
