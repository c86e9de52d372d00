//! The log record: the one way to write it, so that every record has the catalogue's fields under the dictionary's names.

use std::{
    marker::PhantomData,
    net::IpAddr,
    time::{Duration, Instant},
};

use catalogue::{Action, ErrorType, field};
use opentelemetry::{KeyValue, trace::Status};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    line::{self, Line, Value},
    metrics, output,
    sentence::{sentence, text},
    subject::Subject,
};
use crate::{
    domain::{AccountId, EventId, MessageId, OrderStatus, Role},
    failure::Failure,
};

/// Says of a record that it reports no change: it is written when it is made.
#[derive(Debug)]
pub enum Notice {}

/// Says of a record that it reports a change: it is written when the change is committed, by the unit of work that it is
/// handed to.
#[derive(Debug)]
pub enum OfChange {}

/// A record under construction. Parts that aren't set don't appear in its line.
#[must_use = "a notice is written by `write`, the record of a change by its unit of work"]
#[derive(Debug)]
pub struct Record<Kind = Notice> {
    action: Action,
    level: Level,
    outcome: &'static str,
    message: Option<String>,
    fields: Vec<(&'static str, Value)>,
    started: Option<Instant>,
    kind: PhantomData<Kind>,
}

/// User strings in a record are cut to this many characters.
const LONGEST: usize = 256;
/// Chains of causes are cut to this many characters.
const LONGEST_CHAIN: usize = 4_096;

impl Record<Notice> {
    /// Something happened that changes no order.
    ///
    /// # Panics
    ///
    /// If the action is one that reports a change: [`Record::of_change`] makes its record.
    pub fn notice(action: Action, subject: Subject) -> Self {
        assert!(!action.reports_change(), "{action} reports a change, so its record is written with the change");
        Self::new(action, subject)
    }

    /// The service is in this state now: `ready`, `degraded`, `stopping` or `stopped`.
    pub fn lifecycle(state: &'static str) -> Self {
        Self::notice(Action::ServiceLifecycle, Subject::default()).state(state)
    }

    /// A failure of ours kept the action from happening: an ERROR with the whole chain of causes.
    pub fn failure(action: Action, subject: Subject, failure: &Failure) -> Self {
        Self::new(action, subject).failed(Level::ERROR, failure)
    }

    /// Writes the line. It is out of the process when this returns.
    pub fn write(self) {
        match self.action {
            // At level ERROR it is a login that could not be checked.
            Action::LoginFailed | Action::LoginFailedRepeatedly if self.level != Level::ERROR => {
                metrics::login_failed();
            }
            Action::Throttled => metrics::throttled(),
            _ => {}
        }
        if let Some(line) = self.line(None) {
            // A line that can't be written is reported by the output; the work goes on.
            let _ = output::emit(line.as_bytes());
        }
    }
}

impl Record<OfChange> {
    /// An order changed: written once the change is committed.
    pub fn of_change(action: Action, subject: Subject) -> Self {
        Self::new(action, subject)
    }

    /// The record for a unit of work, with a new id of the change and with the current span. The line is made when the unit is
    /// committed.
    #[must_use]
    pub fn pending(self) -> PendingRecord {
        PendingRecord { id: EventId::new(), span: Span::current(), record: self }
    }
}

/// The record of a change that isn't committed yet, in the span of its request: only a unit of work writes it.
#[derive(Debug)]
pub struct PendingRecord {
    id: EventId,
    span: Span,
    record: Record<OfChange>,
}

impl PendingRecord {
    /// The change's id: `event.id` of its record.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// The line, made now.
    pub(crate) fn into_line(self) -> Line {
        let Self { id, span, record } = self;
        Line::new(id, span.in_scope(|| record.line(Some(id))))
    }
}

impl<Kind> Record<Kind> {
    fn new(action: Action, subject: Subject) -> Self {
        let fields = Vec::with_capacity(12);
        let record = Self {
            action,
            level: Level::INFO,
            outcome: "success",
            message: None,
            fields,
            started: None,
            kind: PhantomData,
        };
        record
            .optional(field::ORDER_ID, subject.order)
            .optional(field::CUSTOMER_ID, subject.customer)
            .optional(field::PARTNER_ID, subject.partner)
            .optional(field::OPERATOR_ID, subject.operator)
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push((name, value));
        self
    }

    fn text(self, name: &'static str, value: impl ToString) -> Self {
        self.with(name, Value::Text(value.to_string().into()))
    }

    fn name(self, name: &'static str, value: &'static str) -> Self {
        self.with(name, Value::Text(value.into()))
    }

    fn optional(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// It failed, at this level; with the whole chain of causes.
    pub fn failed(self, level: Level, failure: &Failure) -> Self {
        self.unsuccessful().level(level).error(failure.error_type, failure.chain())
    }

    /// The level, where it isn't INFO.
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// It didn't succeed, though nothing of ours failed.
    pub fn unsuccessful(self) -> Self {
        Self { outcome: "failure", ..self }
    }

    /// The error's class and its chain of causes.
    pub fn error(self, error_type: ErrorType, chain: String) -> Self {
        self.name(field::ERROR_TYPE, error_type.name())
            .with(field::ERROR_MESSAGE, Value::Text(cut(chain, LONGEST_CHAIN).into()))
    }

    /// The sentence for people, instead of the one made of the fields.
    pub fn message(self, message: String) -> Self {
        Self { message: Some(cut(message, LONGEST)), ..self }
    }

    /// The status now, and before.
    pub fn status(self, from: OrderStatus, to: OrderStatus) -> Self {
        self.in_status(to).name(field::ORDER_STATUS_FROM, from.name())
    }

    /// How long the order was in the status before; written in hours.
    pub fn stayed(self, stay: time::Duration) -> Self {
        // Clocks of two services differ a little, and no stay is shorter than nothing.
        self.with(field::ORDER_STATUS_FROM_HOURS, Value::Float(stay.as_seconds_f64().max(0.0) / 3600.0))
    }

    /// The status that the order is in.
    pub fn in_status(self, status: OrderStatus) -> Self {
        self.name(field::ORDER_STATUS, status.name())
    }

    /// How long the order has been waiting, in hours.
    pub fn age(self, hours: f64) -> Self {
        self.with(field::ORDER_AGE_HOURS, Value::Float(hours))
    }

    /// The price calculation's status now, and before.
    pub fn price_status(self, from: &'static str, to: &'static str) -> Self {
        self.name(field::ORDER_PRICE_STATUS, to).name(field::ORDER_PRICE_STATUS_FROM, from)
    }

    /// How long it took; written in nanoseconds.
    pub fn duration(self, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.with(field::EVENT_DURATION, Value::Unsigned(nanoseconds))
    }

    /// When it began: the duration is taken when the line is made.
    pub fn started(self, started: Instant) -> Self {
        Self { started: Some(started), ..self }
    }

    /// The model's size in triangles.
    pub fn triangles(self, triangles: u64) -> Self {
        self.with(field::MODEL_TRIANGLES, Value::Unsigned(triangles))
    }

    /// What the reader has put right in the model, and how many of its bodies overlap.
    pub fn mended(self, mended: Vec<&'static str>, overlapping_bodies: u64) -> Self {
        let record = if mended.is_empty() { self } else { self.with(field::MODEL_MENDED, Value::Names(mended)) };
        match overlapping_bodies {
            0 => record,
            count => record.with(field::MODEL_OVERLAPPING_BODIES, Value::Unsigned(count)),
        }
    }

    /// The unit that the model is drawn in, if it is known.
    pub fn unit(self, symbol: Option<&'static str>) -> Self {
        match symbol {
            Some(symbol) => self.name(field::MODEL_UNIT, symbol),
            None => self,
        }
    }

    /// The model file's size in bytes, and its extension.
    pub fn file(self, size: u64, extension: &'static str) -> Self {
        self.with(field::FILE_SIZE, Value::Unsigned(size)).name(field::FILE_EXTENSION, extension)
    }

    /// The message that was sent or received.
    pub fn messaging(self, id: Option<MessageId>, message_type: &str) -> Self {
        self.optional(field::MESSAGING_MESSAGE_ID, id).text(field::MESSAGING_MESSAGE_TYPE, message_type)
    }

    /// The account behind the request.
    pub fn user(self, user: Option<AccountId>) -> Self {
        self.optional(field::USER_ID, user)
    }

    /// What that account may do.
    pub fn role(self, role: Role) -> Self {
        self.name(field::USER_ROLES, role.name())
    }

    /// A login that no account has, as a keyed hash.
    pub fn user_hash(self, hash: Option<String>) -> Self {
        self.optional(field::USER_HASH, hash)
    }

    /// The client's network.
    pub fn source_ip(self, network: IpAddr) -> Self {
        self.text(field::SOURCE_IP, network)
    }

    /// Failed logins in a row.
    pub fn failures(self, failures: u64) -> Self {
        self.with(field::AUTH_FAILURES, Value::Unsigned(failures))
    }

    /// The operation that was asked for.
    pub fn operation(self, method: &str, route: &str) -> Self {
        self.text(field::HTTP_REQUEST_METHOD, method).text(field::HTTP_ROUTE, route)
    }

    /// The response's status.
    pub fn status_code(self, status_code: u16) -> Self {
        self.with(field::HTTP_RESPONSE_STATUS_CODE, Value::Unsigned(status_code.into()))
    }

    /// Connections that ended without one whole request since the last heartbeat.
    pub fn unfinished_connections(self, count: u64) -> Self {
        self.with(field::CONNECTIONS_UNFINISHED, Value::Unsigned(count))
    }

    /// What waits to be published, and for how long what waits to be written, if this replica counts it.
    pub fn waiting(self, waiting: Option<[metrics::Waiting; 2]>) -> Self {
        let Some([outbox, journal]) = waiting else { return self };
        self.with(field::OUTBOX_MESSAGES, Value::Unsigned(outbox.count.unsigned_abs()))
            .with(field::OUTBOX_AGE_SECONDS, Value::Float(outbox.age()))
            .with(field::JOURNAL_AGE_SECONDS, Value::Float(journal.age()))
    }

    /// The service's own state.
    pub fn state(self, state: &'static str) -> Self {
        self.name(field::SERVICE_STATE, state)
    }

    /// The line, its end included; none if the log's filter leaves the record out. A failure marks the span as well.
    fn line(mut self, id: Option<EventId>) -> Option<String> {
        if !line::enabled(self.level) {
            return None;
        }
        if let Some(started) = self.started {
            self = self.duration(started.elapsed());
        }
        let sentence = self.message.take().unwrap_or_else(|| sentence(self.action, &self.fields));
        if self.level == Level::ERROR {
            self.mark_span();
        }
        let head = [
            (field::EVENT_ACTION, Value::Text(self.action.name().into())),
            (field::EVENT_OUTCOME, Value::Text(self.outcome.into())),
        ];
        let class = self.action.class().map(|(category, kind)| {
            [(field::EVENT_CATEGORY, Value::Text(category.into())), (field::EVENT_TYPE, Value::Text(kind.into()))]
        });
        let id = id.map(|id| (field::EVENT_ID, Value::Text(id.to_string().into())));
        line::format(self.level, &sentence, head.iter().chain(class.iter().flatten()).chain(&id).chain(&self.fields))
    }

    /// OpenTelemetry's exception event, and the span's status
    /// (<https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/>).
    fn mark_span(&self) {
        let span = Span::current();
        let attribute = |name, field| Some(KeyValue::new(name, text(&self.fields, field)?.to_owned()));
        let attributes =
            [attribute("exception.type", field::ERROR_TYPE), attribute("exception.message", field::ERROR_MESSAGE)];
        span.add_event("exception", attributes.into_iter().flatten().collect());
        span.set_status(Status::error(""));
    }
}

fn cut(mut text: String, longest: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "reports a change")]
    fn the_success_of_a_change_is_no_notice() {
        let _ = Record::notice(Action::OrderCreated, Subject::default());
    }

    #[test]
    fn the_sentence_is_made_of_the_fields() {
        let order = "A-100042".parse().unwrap();
        let record = Record::of_change(Action::OrderStatusChanged, Subject::just_order(&order))
            .status(OrderStatus::Initiated, OrderStatus::FileUploaded);
        assert_eq!(sentence(record.action, &record.fields), "order.status_changed A-100042 INITIATED -> FILE_UPLOADED");
        let failure = Failure::bare(ErrorType::Timeout, "waiting");
        let record = Record::failure(Action::HttpRequest, Subject::default(), &failure)
            .operation("GET", "/orders")
            .status_code(500);
        assert_eq!(sentence(record.action, &record.fields), "http.request GET /orders 500 failed: timeout");
    }

    #[test]
    fn what_users_write_is_cut() {
        assert_eq!(cut("é".repeat(300), LONGEST).chars().count(), LONGEST);
    }
}
