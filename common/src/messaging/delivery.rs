//! A delivery of the broker, read.

use catalogue::Action;
use lapin::{message::Delivery, types::AMQPValue};

use crate::{
    domain::{MessageId, OrderFacts, OrderId},
    failure::{ErrorType, Failure},
    outbox::{MessageType, schema},
    telemetry::{Record, Subject, TraceContext},
};

/// The header that counts how often a person has sent a message back.
pub(super) const REPLAYS: &str = "replays";

/// How often a person has sent the message back.
pub(super) fn replays(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    headers.and_then(|headers| headers.inner().get(REPLAYS)?.as_long_long_int()).unwrap_or_default()
}

/// The producer's trace.
pub(super) fn trace_of(delivery: &Delivery) -> TraceContext {
    let headers = delivery.properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|headers| text_of(headers.inner().get(name)?));
    TraceContext { traceparent: header("traceparent"), tracestate: header("tracestate") }
}

/// A header's text, of whichever of AMQP's two types of text.
pub(super) fn text_of(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What is known of a delivery, also of one whose body can't be read.
pub(super) struct Envelope<'a> {
    pub(super) message_type: &'a str,
    pub(super) id: Option<MessageId>,
    pub(super) order: Option<OrderId>,
}

impl<'a> Envelope<'a> {
    /// Reads a delivery. One that can't be read can't be read the next time either.
    pub(super) fn read(delivery: &'a Delivery) -> (Self, Result<(MessageId, OrderFacts), Failure>) {
        let malformed = |context| Failure::bare(ErrorType::MessageMalformed, context);
        let properties = &delivery.properties;
        let name = properties.kind().as_ref().map_or(delivery.routing_key.as_str(), |kind| kind.as_str());
        let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        let facts = schema::read(&delivery.data);
        let message = Self { message_type: name, id, order: facts.as_ref().ok().map(|facts| facts.order.id.clone()) };
        let content = facts.and_then(|facts| {
            MessageType::from_name(name).ok_or_else(|| malformed("a message of an unknown type"))?;
            let id = id.ok_or_else(|| malformed("a message without an id"))?;
            Ok((id, facts))
        });
        (message, content)
    }

    /// The order, as far as it is known.
    pub(super) fn subject(&self) -> Subject {
        Subject { order: self.order.clone(), ..Subject::default() }
    }

    /// A record about the message that reports no change.
    pub(super) fn notice(&self, action: Action) -> Record {
        Record::notice(action, self.subject()).messaging(self.id, self.message_type)
    }
}
