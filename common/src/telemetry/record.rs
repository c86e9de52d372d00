//! The log record: one way to write it, so that every record has the catalogue's fields under the dictionary's names.

use std::{net::IpAddr, time::Duration};

use catalogue::{Action, ErrorType, field};
use tracing::Level;
use uuid::Uuid;

use super::output::held;
use crate::{
    Failure,
    domain::{OrderId, OrderStatus, Owner},
    journal::Entry,
};

/// Whose work it is: what a record says about the order and the people around it.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The order.
    pub order: Option<OrderId>,
    /// The customer whose order it is.
    pub customer: Option<Uuid>,
    /// The partner whose order it is.
    pub partner: Option<Uuid>,
    /// The operator who has it.
    pub operator: Option<Uuid>,
}

impl Subject {
    /// An order and its owner.
    #[must_use]
    pub fn order(id: &OrderId, owner: Owner) -> Self {
        Self { order: Some(id.clone()), ..Self::owner(owner) }
    }

    /// An order whose owner isn't known, or isn't told.
    #[must_use]
    pub fn just_order(id: &OrderId) -> Self {
        Self { order: Some(id.clone()), ..Self::default() }
    }

    /// An owner whose order doesn't exist yet.
    #[must_use]
    pub fn owner(owner: Owner) -> Self {
        Self { customer: owner.customer(), partner: owner.partner(), ..Self::default() }
    }

    /// The same, with the operator.
    #[must_use]
    pub fn with_operator(self, operator: Uuid) -> Self {
        Self { operator: Some(operator), ..self }
    }
}

/// A record under construction. Optional parts that aren't given don't appear in the line.
#[must_use = "a record is written by `write`"]
#[derive(Debug)]
pub struct Record<'a> {
    action: Action,
    event_id: Option<Uuid>,
    level: Level,
    outcome: &'static str,
    subject: Subject,
    message: Option<String>,
    status: Option<OrderStatus>,
    status_from: Option<OrderStatus>,
    status_from_hours: Option<f64>,
    age_hours: Option<f64>,
    price_status: Option<&'a str>,
    price_status_from: Option<&'a str>,
    duration: Option<Duration>,
    triangles: Option<u64>,
    file_size: Option<u64>,
    file_extension: Option<&'a str>,
    message_id: Option<Uuid>,
    message_type: Option<&'a str>,
    error_type: Option<ErrorType>,
    error_message: Option<String>,
    user: Option<Uuid>,
    user_hash: Option<&'a str>,
    source_ip: Option<IpAddr>,
    failures: Option<i32>,
    method: Option<&'a str>,
    route: Option<&'a str>,
    status_code: Option<u16>,
    state: Option<&'a str>,
}

/// User strings in a record are cut to this many characters.
const LONGEST: usize = 256;
/// Chains of causes are cut to this many characters.
const LONGEST_CHAIN: usize = 4_096;

impl<'a> Record<'a> {
    /// Something happened as it should.
    pub fn success(action: Action, subject: Subject) -> Self {
        Self {
            action,
            event_id: None,
            level: Level::INFO,
            outcome: "success",
            subject,
            message: None,
            status: None,
            status_from: None,
            status_from_hours: None,
            age_hours: None,
            price_status: None,
            price_status_from: None,
            duration: None,
            triangles: None,
            file_size: None,
            file_extension: None,
            message_id: None,
            message_type: None,
            error_type: None,
            error_message: None,
            user: None,
            user_hash: None,
            source_ip: None,
            failures: None,
            method: None,
            route: None,
            status_code: None,
            state: None,
        }
    }

    /// Something of ours failed: an ERROR with the whole chain of causes.
    pub fn failure(action: Action, subject: Subject, failure: &Failure) -> Self {
        Self::success(action, subject).failed(Level::ERROR, failure)
    }

    /// It failed, at the level that this has for whoever runs the service; with the whole chain of causes.
    pub fn failed(self, level: Level, failure: &Failure) -> Self {
        self.unsuccessful().level(level).error(failure.error_type, failure.chain())
    }

    /// The level, where it isn't the outcome's usual one.
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// It didn't work, though nothing of ours is broken.
    pub fn unsuccessful(self) -> Self {
        Self { outcome: "failure", ..self }
    }

    /// The error's class and words.
    pub fn error(self, error_type: ErrorType, chain: String) -> Self {
        Self { error_type: Some(error_type), error_message: Some(cut(chain, LONGEST_CHAIN)), ..self }
    }

    /// The sentence for people, where the default one doesn't do.
    pub fn message(self, message: String) -> Self {
        Self { message: Some(cut(message, LONGEST)), ..self }
    }

    /// The status now, and before.
    pub fn status(self, from: OrderStatus, to: OrderStatus) -> Self {
        Self { status: Some(to), status_from: Some(from), ..self }
    }

    /// How long the order was in the status before; written in hours.
    pub fn stayed(self, stay: time::Duration) -> Self {
        // Two systems' clocks differ a little, and nothing takes less than no time.
        Self { status_from_hours: Some(stay.as_seconds_f64().max(0.0) / 3600.0), ..self }
    }

    /// The status that the order is in, where it didn't just come from another one.
    pub fn in_status(self, status: OrderStatus) -> Self {
        Self { status: Some(status), ..self }
    }

    /// How long the order has been waiting, in hours.
    pub fn age(self, hours: f64) -> Self {
        Self { age_hours: Some(hours), ..self }
    }

    /// The price calculation's status now, and before.
    pub fn price_status(self, from: &'a str, to: &'a str) -> Self {
        Self { price_status: Some(to), price_status_from: Some(from), ..self }
    }

    /// How long it took; written in nanoseconds.
    pub fn duration(self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self }
    }

    /// The model's size in triangles.
    pub fn triangles(self, triangles: u64) -> Self {
        Self { triangles: Some(triangles), ..self }
    }

    /// The model file's size in bytes and its extension.
    pub fn file(self, size: u64, extension: &'a str) -> Self {
        Self { file_size: Some(size), file_extension: Some(extension), ..self }
    }

    /// The message that was sent or received.
    pub fn messaging(self, id: Option<Uuid>, message_type: &'a str) -> Self {
        Self { message_id: id, message_type: Some(message_type), ..self }
    }

    /// The account that asked.
    pub fn user(self, user: Option<Uuid>) -> Self {
        Self { user, ..self }
    }

    /// A login that nobody has, as a keyed hash.
    pub fn user_hash(self, hash: &'a str) -> Self {
        Self { user_hash: Some(hash), ..self }
    }

    /// The client's network.
    pub fn source_ip(self, network: IpAddr) -> Self {
        Self { source_ip: Some(network), ..self }
    }

    /// Failed logins in a row.
    pub fn failures(self, failures: i32) -> Self {
        Self { failures: Some(failures), ..self }
    }

    /// The request and its answer.
    pub fn http(self, method: &'a str, route: &'a str, status_code: u16) -> Self {
        Self { method: Some(method), route: Some(route), status_code: Some(status_code), ..self }
    }

    /// The service's own state.
    pub fn state(self, state: &'a str) -> Self {
        Self { state: Some(state), ..self }
    }

    /// Makes the record of a change: with a number of its own, to be kept in the change's transaction and written after
    /// the commit.
    pub fn of_change(self) -> Entry {
        let id = Uuid::now_v7();
        Entry::new(id, held(|| Self { event_id: Some(id), ..self }.write()))
    }

    /// Writes the line. It is out of the process when this returns.
    pub fn write(self) {
        // The level is part of an event's static description, so each needs an event of its own.
        macro_rules! event {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    { field::EVENT_ACTION } = self.action.name(),
                    { field::EVENT_ID } = self.event_id.map(tracing::field::display),
                    { field::EVENT_OUTCOME } = self.outcome,
                    { field::ORDER_ID } = self.subject.order.as_ref().map(OrderId::as_str),
                    { field::CUSTOMER_ID } = self.subject.customer.map(tracing::field::display),
                    { field::PARTNER_ID } = self.subject.partner.map(tracing::field::display),
                    { field::OPERATOR_ID } = self.subject.operator.map(tracing::field::display),
                    { field::ORDER_STATUS } = self.status.map(OrderStatus::name),
                    { field::ORDER_STATUS_FROM } = self.status_from.map(OrderStatus::name),
                    { field::ORDER_STATUS_FROM_HOURS } = self.status_from_hours,
                    { field::ORDER_AGE_HOURS } = self.age_hours,
                    { field::ORDER_PRICE_STATUS } = self.price_status,
                    { field::ORDER_PRICE_STATUS_FROM } = self.price_status_from,
                    { field::EVENT_DURATION } = self.duration.map(nanoseconds),
                    { field::MODEL_TRIANGLES } = self.triangles,
                    { field::FILE_SIZE } = self.file_size,
                    { field::FILE_EXTENSION } = self.file_extension,
                    { field::MESSAGING_MESSAGE_ID } = self.message_id.map(tracing::field::display),
                    { field::MESSAGING_MESSAGE_TYPE } = self.message_type,
                    { field::ERROR_TYPE } = self.error_type.map(ErrorType::name),
                    { field::ERROR_MESSAGE } = self.error_message.as_deref(),
                    { field::USER_ID } = self.user.map(tracing::field::display),
                    { field::USER_HASH } = self.user_hash,
                    { field::SOURCE_IP } = self.source_ip.map(tracing::field::display),
                    { field::AUTH_FAILURES } = self.failures,
                    { field::HTTP_REQUEST_METHOD } = self.method,
                    { field::HTTP_ROUTE } = self.route,
                    { field::HTTP_RESPONSE_STATUS_CODE } = self.status_code,
                    { field::SERVICE_STATE } = self.state,
                    "{}",
                    self.sentence()
                )
            };
        }
        match self.level {
            Level::ERROR => event!(Level::ERROR),
            Level::WARN => event!(Level::WARN),
            _ => event!(Level::INFO),
        }
    }

    /// The message for people: it reads alone, and says nothing that isn't in a field as well.
    fn sentence(&self) -> String {
        if let Some(message) = &self.message {
            return message.clone();
        }
        let mut text = self.action.name().to_owned();
        let mut add = |words: &str| {
            text.push(' ');
            text.push_str(words);
        };
        if let Some(order) = &self.subject.order {
            add(order.as_str());
        }
        for (from, to) in [
            (self.status_from.map(OrderStatus::name), self.status.map(OrderStatus::name)),
            (self.price_status_from, self.price_status),
        ] {
            match (from, to) {
                (Some(from), Some(to)) => add(&format!("{from} -> {to}")),
                (None, Some(to)) => add(to),
                _ => {}
            }
        }
        if let Some(message_type) = self.message_type {
            add(message_type);
        }
        if let (Some(method), Some(route), Some(code)) = (self.method, self.route, self.status_code) {
            add(&format!("{method} {route} {code}"));
        }
        if let Some(state) = self.state {
            add(state);
        }
        if let Some(error_type) = self.error_type {
            add(&format!("failed: {}", error_type.name()));
        }
        text
    }
}

/// ECS counts durations in nanoseconds; a `u128` would be written as text.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn cut(text: String, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
