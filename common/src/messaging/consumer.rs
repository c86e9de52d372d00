//! The consumer: applies messages, in one transaction with the note that they were applied.
//!
//! Messages that come together are applied together: a commit and most ways to the database and back cost the same for one
//! message as for many. If that fails, each is applied alone, so that one which can't be applied holds nobody up.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use catalogue::{Action, Service, field};
use futures::StreamExt as _;
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    types::{AMQPValue, FieldTable},
};
use opentelemetry::trace::TraceContextExt as _;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{Backoff, EXCHANGE, MessageType, broker::Broker, dead_letters, inbox, queue, schema};
use crate::{
    crash,
    domain::{OrderFacts, OrderId},
    failure::{ErrorType, Failure, FailureContext as _},
    journal::{self, Entry, Journal},
    telemetry::{Record, Subject, TraceContext, adopt, identify},
};

/// What a service does with messages.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Applies messages in the given transaction, each after the one before it; gives the records of what they change,
    /// which are kept with the changes and written after the commit. A message may have been applied before under another
    /// number, may be late or early; the outcome must be the same. If one can't be applied, none is.
    fn apply(
        &self,
        transaction: &mut PgConnection,
        messages: &[&InboundMessage],
    ) -> impl Future<Output = Result<Vec<Entry>, Failure>> + Send;

    /// Called after the commit, to wake whoever has work now.
    fn committed(&self);
}

/// What a message tells.
#[derive(Debug)]
pub struct InboundMessage {
    /// The order, as its sender knows it.
    pub facts: OrderFacts,
    /// The span that applying it, and the records of that, belong to.
    pub span: Span,
}

pub(super) struct Consumer<H> {
    pub(super) broker: Broker,
    pub(super) service: Service,
    pub(super) database: PgPool,
    pub(super) handler: H,
    pub(super) journal: Journal,
    pub(super) concurrency: u16,
    pub(super) connected: Arc<AtomicBool>,
    pub(super) stopping: CancellationToken,
}

/// A message that fails in a way that waiting doesn't mend is tried this often.
const ATTEMPTS: u32 = 5;
/// So many messages are applied in one transaction at most.
const BATCH: u16 = 64;

impl<H: Handler> Consumer<H> {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new();
        while !self.stopping.is_cancelled() {
            let result = self.consume_until_broken(&mut backoff).await;
            self.connected.store(false, Ordering::Relaxed);
            if let (Err(failure), true) = (&result, backoff.is_first()) {
                // A warning: nothing is lost, what comes meanwhile waits.
                state("degraded").failed(Level::WARN, failure).write();
            }
            self.stopping.run_until_cancelled(backoff.wait()).await;
        }
    }

    async fn consume_until_broken(&self, backoff: &mut Backoff) -> Result<(), Failure> {
        let Some(line) = self.stopping.run_until_cancelled(self.broker.connect("consumer")).await else {
            return Ok(());
        };
        let line = line?;
        // Whoever is done finds the next batch here already and doesn't wait for the network.
        let prefetch = self.concurrency.saturating_mul(BATCH);
        line.channel.basic_qos(prefetch, BasicQosOptions::default()).await.failure("limiting deliveries")?;
        let deliveries = line
            .channel
            .basic_consume(
                queue(self.service).into(),
                format!("{}-{}", self.service, Uuid::now_v7()).into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .failure("subscribing")?;
        self.connected.store(true, Ordering::Relaxed);
        if !backoff.is_first() {
            state("ready").message("messages are received again".to_owned()).write();
        }
        backoff.reset();

        // Ends when the broker cancels the subscription, closes the channel, or we are to stop; what is under way is
        // finished first.
        deliveries
            .take_while(|delivery| std::future::ready(delivery.is_ok()))
            .take_until(self.stopping.cancelled())
            .filter_map(|delivery| std::future::ready(delivery.ok()))
            .ready_chunks(usize::from(BATCH))
            .for_each_concurrent(usize::from(self.concurrency), |batch| self.receive(batch))
            .await;
        if self.stopping.is_cancelled() {
            // Gives back what was prefetched.
            return line.connection.close(200, "stopping".into()).await.failure("closing the connection");
        }
        Err(Failure::bare(ErrorType::BrokerUnavailable, "the broker ended the subscription"))
    }

    /// Handles deliveries to their end: acknowledged, or dead letters. If the channel breaks meanwhile, the broker
    /// delivers again, and the inbox knows.
    async fn receive(&self, batch: Vec<Delivery>) {
        let mut messages = Vec::with_capacity(batch.len());
        for delivery in &batch {
            let (message, content) = Message::read(delivery);
            let span = self.process_span(delivery, &message);
            if dead_letters::replays(delivery) > 0 && !delivery.redelivered {
                span.in_scope(|| message.record(Action::MessageReplayed).write());
            }
            match content {
                Ok((_, id, facts)) => {
                    messages.push(Incoming { delivery, message, id, told: InboundMessage { facts, span } })
                }
                Err(failure) => self.refuse(delivery, &message, &failure).instrument(span).await,
            }
        }
        // Everybody locks several orders in the same sequence; what comes of one order stays in its own.
        messages.sort_by(|one, other| one.order().as_str().cmp(other.order().as_str()));
        if messages.len() > 1 && self.apply(&messages).await.is_ok() {
            for message in &messages {
                message.acknowledge().await;
            }
            return;
        }
        let alone = futures::stream::iter(&messages).for_each_concurrent(usize::from(self.concurrency), |message| {
            self.receive_alone(message).instrument(message.told.span.clone())
        });
        alone.await;
    }

    async fn receive_alone(&self, incoming: &Incoming<'_>) {
        match self.handle(incoming).await {
            Ok(()) => incoming.acknowledge().await,
            Err(Some(failure)) => self.refuse(incoming.delivery, &incoming.message, &failure).await,
            // Stopping: another process gets it.
            Err(None) => {
                let _ = incoming.delivery.reject(BasicRejectOptions { requeue: true }).await;
            }
        }
    }

    /// Makes a delivery a dead letter.
    async fn refuse(&self, delivery: &Delivery, message: &Message<'_>, failure: &Failure) {
        message.record(Action::MessageDeadLettered).failed(Level::ERROR, failure).write();
        let _ = delivery.reject(BasicRejectOptions { requeue: false }).await;
    }

    /// Applies a message, as often as it takes. The error is what makes it a dead letter; none if we were to stop.
    async fn handle(&self, incoming: &Incoming<'_>) -> Result<(), Option<Failure>> {
        let mut backoff = Backoff::new();
        loop {
            let Err(failure) = self.apply(std::slice::from_ref(incoming)).await else {
                return Ok(());
            };
            let hopeless = match failure.error_type {
                ErrorType::MessageMalformed | ErrorType::MessageUnexpected => true,
                ErrorType::DatabaseUnavailable => false,
                _ => backoff.0 + 1 >= ATTEMPTS,
            };
            if hopeless {
                return Err(Some(failure));
            }
            if backoff.is_first() {
                let failure = Record::failure(Action::MessageConsumed, incoming.subject(), &failure);
                failure.messaging(Some(incoming.id), incoming.message.message_type).write();
            }
            incoming.record(Action::MessageRetried).failed(Level::WARN, &failure).write();
            if self.stopping.run_until_cancelled(backoff.wait()).await.is_none() {
                return Err(None);
            }
        }
    }

    /// One transaction: the notes in the inbox, the effects, and the records of both. Messages that were applied before are
    /// left out: they were recorded then.
    async fn apply(&self, messages: &[Incoming<'_>]) -> Result<(), Failure> {
        let mut transaction = self.database.begin().await.failure("handling messages")?;
        let mut new = inbox::note(&mut transaction, messages.iter().map(|message| message.id)).await?;
        if new.is_empty() {
            return Ok(());
        }
        // The same message may have come twice.
        let messages: Vec<_> = messages.iter().filter(|message| new.remove(&message.id)).collect();
        let consumed =
            |message: &&Incoming| message.told.span.in_scope(|| message.record(Action::MessageConsumed).of_change());
        let mut entries: Vec<_> = messages.iter().map(consumed).collect();
        let told: Vec<_> = messages.iter().map(|message| &message.told).collect();
        entries.extend(self.handler.apply(&mut transaction, &told).await?);
        journal::keep(&mut transaction, &entries).await?;
        crash::point("consumer.applied");
        transaction.commit().await.failure("handling messages")?;
        crash::point("consumer.committed");
        self.journal.write(entries);
        self.handler.committed();
        crash::point("consumer.recorded");
        Ok(())
    }

    /// The consumer's span. A message is processed by itself, not in a batch, so the producer's span is its parent as
    /// well as its link, which the conventions allow for exactly this case.
    fn process_span(&self, delivery: &Delivery, message: &Message<'_>) -> Span {
        let queue = queue(self.service);
        let key = delivery.routing_key.as_str();
        let span = tracing::error_span!(
            "message.process",
            { field::TRACE_ID } = Empty,
            otel.name = format!("process {EXCHANGE}:{key}:{queue}"),
            otel.kind = "consumer",
        );
        let producer = trace_of(delivery);
        adopt(&span, &producer);
        let producer = producer.remote();
        if producer.span().span_context().is_valid() {
            span.add_link(producer.span().span_context().clone());
        }
        span.set_attribute("messaging.system", "rabbitmq");
        span.set_attribute("messaging.operation.name", "process");
        span.set_attribute("messaging.operation.type", "process");
        span.set_attribute("messaging.destination.name", format!("{EXCHANGE}:{key}:{queue}"));
        span.set_attribute("messaging.rabbitmq.destination.routing_key", key.to_owned());
        if let Some(id) = message.id {
            identify(&span, field::MESSAGING_MESSAGE_ID, id);
        }
        if let Some(order) = &message.order {
            identify(&span, field::ORDER_ID, order);
        }
        span
    }
}

/// A delivery that is one of ours.
struct Incoming<'a> {
    delivery: &'a Delivery,
    message: Message<'a>,
    id: Uuid,
    told: InboundMessage,
}

impl Incoming<'_> {
    fn order(&self) -> &OrderId {
        &self.told.facts.order.id
    }

    fn subject(&self) -> Subject {
        Subject::order(self.order(), self.told.facts.order.owner)
    }

    fn record(&self, action: Action) -> Record<'_> {
        Record::success(action, self.subject()).messaging(Some(self.id), self.message.message_type)
    }

    async fn acknowledge(&self) {
        let _ = self.delivery.ack(BasicAckOptions::default()).await;
    }
}

fn state(state: &'static str) -> Record<'static> {
    Record::success(Action::ServiceLifecycle, Subject::default()).state(state)
}

fn trace_of(delivery: &Delivery) -> TraceContext {
    let headers = delivery.properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|headers| text_of(headers.inner().get(name)?));
    TraceContext { traceparent: header("traceparent"), tracestate: header("tracestate") }
}

/// A header's text, however long its sender's library takes texts to be.
pub(super) fn text_of(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What can be said of a delivery, whether or not it is one of ours.
pub(super) struct Message<'a> {
    pub(super) message_type: &'a str,
    pub(super) id: Option<Uuid>,
    pub(super) order: Option<OrderId>,
}

impl<'a> Message<'a> {
    /// Reads the delivery. What isn't one of ours can't become one by trying again.
    pub(super) fn read(delivery: &'a Delivery) -> (Self, Result<(MessageType, Uuid, OrderFacts), Failure>) {
        let malformed = |context| Failure::bare(ErrorType::MessageMalformed, context);
        let properties = &delivery.properties;
        let name = properties.kind().as_ref().map_or(delivery.routing_key.as_str(), |kind| kind.as_str());
        let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse::<Uuid>().ok());
        let facts = schema::read(&delivery.data);
        let message = Self { message_type: name, id, order: facts.as_ref().ok().map(|facts| facts.order.id.clone()) };
        let content = facts.and_then(|facts| {
            let message_type = MessageType::of_name(name).ok_or_else(|| malformed("a message of an unknown type"))?;
            let id = id.ok_or_else(|| malformed("a message without an id"))?;
            Ok((message_type, id, facts))
        });
        (message, content)
    }

    fn record(&self, action: Action) -> Record<'_> {
        let subject = Subject { order: self.order.clone(), ..Subject::default() };
        Record::success(action, subject).messaging(self.id, self.message_type)
    }
}
