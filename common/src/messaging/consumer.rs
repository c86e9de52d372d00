//! The consumer: applies messages, in one transaction with the notes that they were applied.
//!
//! Messages that come at once share a transaction: a commit and most round trips cost the same for one message as for many.
//! If it fails, each is applied alone, so that one that can't be applied delays no other.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use catalogue::{Action, Service, field};
use futures::{
    StreamExt as _,
    future::{join_all, try_join_all},
};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    types::FieldTable,
};
use opentelemetry::trace::TraceContextExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{
    backoff::Backoff,
    broker::{Broker, EXCHANGE, Link, queue},
    delivery::{Envelope, replays, trace_of},
    inbox,
};
use crate::{
    database::in_time,
    domain::{EventId, MessageId, OrderFacts, OrderId},
    failure::{ErrorType, Failure, FailureContext as _},
    telemetry::{Record, Subject, adopt, identify, metrics},
    unit_of_work::{UnitOfWork, Units},
};

/// What a service does with messages.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Applies messages in the given unit of work, each after the one before it. A message may have been applied before
    /// under another id, may be late or early; the outcome must be the same. If one can't be applied, none is.
    fn apply(
        &self,
        unit: &mut UnitOfWork,
        messages: &[InboundMessage<'_>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A message that is being applied.
#[derive(Clone, Copy, Debug)]
pub struct InboundMessage<'a> {
    /// The order, as its sender knows it.
    pub facts: &'a OrderFacts,
    /// The span that applying it, and the records of that, belong to.
    pub span: &'a Span,
    /// The record of its consumption, which covers what it brings beside the changes that have records of their own.
    pub consumed: EventId,
}

pub(super) struct Consumer<H> {
    pub(super) broker: Broker,
    pub(super) service: Service,
    pub(super) units: Units,
    pub(super) handler: H,
    pub(super) concurrency: u16,
    pub(super) connected: Arc<AtomicBool>,
    pub(super) stopping: CancellationToken,
}

/// How often a message is tried that fails in a way that waiting may not mend.
const ATTEMPTS: u32 = 5;
/// Messages in one transaction at most.
const BATCH: u16 = 64;

impl<H: Handler> Consumer<H> {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new();
        while !self.stopping.is_cancelled() {
            let result = self.consume_until_broken(&mut backoff).await;
            self.connected.store(false, Ordering::Relaxed);
            if let (Err(failure), true) = (&result, backoff.is_first()) {
                // A warning: nothing is lost, messages wait in the broker meanwhile.
                Record::lifecycle("degraded").failed(Level::WARN, failure).write();
            }
            self.stopping.run_until_cancelled(backoff.wait()).await;
        }
    }

    async fn consume_until_broken(&self, backoff: &mut Backoff) -> Result<(), Failure> {
        let Some(link) = self.stopping.run_until_cancelled(self.broker.connect("consumer")).await else {
            return Ok(());
        };
        let link = link?;
        let lanes = (0..self.concurrency).map(|_| self.subscribe(&link));
        let lanes = try_join_all(lanes).await.failure("subscribing")?;
        self.connected.store(true, Ordering::Relaxed);
        if !backoff.is_first() {
            Record::lifecycle("ready").message("messages are received again".to_owned()).write();
        }
        backoff.reset();

        let ended = self.stopping.child_token();
        let causes = join_all(lanes.into_iter().map(|deliveries| self.receive_all(deliveries, &ended))).await;
        if self.stopping.is_cancelled() {
            // The broker requeues what was prefetched.
            return link.connection.close(200, "stopping".into()).await.failure("closing the connection");
        }
        let context = "the broker ended the subscription";
        Err(match causes.into_iter().flatten().next() {
            Some(error) => Failure::new(ErrorType::BrokerUnavailable, context, error),
            None => Failure::bare(ErrorType::BrokerUnavailable, context),
        })
    }

    /// A subscription on a channel of its own, so that a batch can be acknowledged at once: an acknowledgement of several covers
    /// all that the channel has delivered before.
    async fn subscribe(&self, link: &Link) -> Result<lapin::Consumer, lapin::Error> {
        let channel = link.connection.create_channel().await?;
        // The next batch is here already when one ends, and needs no wait for the network.
        channel.basic_qos(2 * BATCH, BasicQosOptions::default()).await?;
        let tag = format!("{}-{}", self.service, Uuid::now_v7());
        let options = BasicConsumeOptions::default();
        channel.basic_consume(queue(self.service).into(), tag.into(), options, FieldTable::default()).await
    }

    /// Receives one batch after the other, until the broker cancels the subscription or closes the channel, another subscription
    /// has ended, or the service is to stop; what is under way is finished first. Returns the error that ended it, if one did.
    async fn receive_all(&self, deliveries: lapin::Consumer, ended: &CancellationToken) -> Option<lapin::Error> {
        let mut cause = None;
        deliveries
            .take_while(|delivery| {
                cause = delivery.as_ref().err().cloned();
                std::future::ready(delivery.is_ok())
            })
            .take_until(ended.cancelled())
            .filter_map(|delivery| std::future::ready(delivery.ok()))
            .ready_chunks(usize::from(BATCH))
            .for_each(|batch| self.receive(batch))
            .await;
        ended.cancel();
        cause
    }

    /// Handles deliveries to their end: acknowledged, or dead letters. If the channel breaks meanwhile, the broker
    /// delivers again, and the inbox knows.
    async fn receive(&self, batch: Vec<Delivery>) {
        let started = Instant::now();
        let mut messages = Vec::with_capacity(batch.len());
        for delivery in &batch {
            let (envelope, content) = Envelope::read(delivery);
            let span = self.process_span(delivery, &envelope);
            if replays(delivery) > 0 && !delivery.redelivered {
                span.in_scope(|| envelope.notice(Action::MessageReplayed).write());
            }
            match content {
                Ok((id, facts)) => messages.push(Incoming { delivery, envelope, id, facts, span, started }),
                Err(failure) => self.reject(delivery, &envelope, &failure, started).instrument(span).await,
            }
        }
        // Every transaction locks orders in the same sequence. The sort is stable: messages of one order stay in theirs.
        messages.sort_by(|one, other| one.order().cmp(other.order()));
        if messages.len() > 1 && self.apply(&messages).await.is_ok() {
            messages.iter().for_each(Incoming::count);
            if let Some(last) = messages.iter().max_by_key(|message| message.delivery.delivery_tag) {
                last.acknowledge(BasicAckOptions { multiple: true }).await;
            }
            return;
        }
        let alone = futures::stream::iter(&messages).for_each_concurrent(usize::from(self.concurrency), |message| {
            self.receive_alone(message).instrument(message.span.clone())
        });
        alone.await;
    }

    async fn receive_alone(&self, incoming: &Incoming<'_>) {
        match self.handle(incoming).await {
            Ok(()) => {
                incoming.count();
                incoming.acknowledge(BasicAckOptions::default()).await;
            }
            Err(Some(failure)) => {
                self.reject(incoming.delivery, &incoming.envelope, &failure, incoming.started).await;
            }
            // Stopping: another process gets it.
            Err(None) => {
                let _ = incoming.delivery.reject(BasicRejectOptions { requeue: true }).await;
            }
        }
    }

    /// Makes a delivery a dead letter.
    async fn reject(&self, delivery: &Delivery, envelope: &Envelope<'_>, failure: &Failure, started: Instant) {
        metrics::processed(envelope.message_type, false, started.elapsed());
        envelope.notice(Action::MessageDeadLettered).failed(Level::ERROR, failure).write();
        let _ = delivery.reject(BasicRejectOptions { requeue: false }).await;
    }

    /// Applies a message, as often as it takes. The error is what makes it a dead letter; none if we were to stop.
    async fn handle(&self, incoming: &Incoming<'_>) -> Result<(), Option<Failure>> {
        let mut backoff = Backoff::new();
        let mut failures = Failures::default();
        loop {
            let Err(failure) = self.apply(std::slice::from_ref(incoming)).await else {
                return Ok(());
            };
            if failures.count(failure.error_type) {
                return Err(Some(failure));
            }
            if backoff.is_first() {
                let record = Record::failure(Action::MessageConsumed, incoming.subject(), &failure);
                record.messaging(Some(incoming.id), incoming.envelope.message_type).write();
            }
            let retried = Record::notice(Action::MessageRetried, incoming.subject()).failed(Level::WARN, &failure);
            retried.messaging(Some(incoming.id), incoming.envelope.message_type).write();
            if self.stopping.run_until_cancelled(backoff.wait()).await.is_none() {
                return Err(None);
            }
        }
    }

    /// Applies messages in one unit of work, with the notes in the inbox. Messages that were applied before are left out: they
    /// were recorded then.
    async fn apply(&self, messages: &[Incoming<'_>]) -> Result<(), Failure> {
        in_time(self.apply_at_once(messages)).await
    }

    async fn apply_at_once(&self, messages: &[Incoming<'_>]) -> Result<(), Failure> {
        let mut unit = self.units.begin("consumer").await?;
        let mut new = inbox::insert(unit.connection(), messages.iter().map(|message| message.id)).await?;
        if new.is_empty() {
            metrics::duplicates(messages.len());
            return Ok(());
        }
        let mut inbound = Vec::with_capacity(new.len());
        // The same message may have come twice in this batch.
        for message in messages.iter().filter(|message| new.remove(&message.id)) {
            let consumed = message.span.in_scope(|| {
                let record = Record::of_change(Action::MessageConsumed, message.subject());
                unit.record(record.messaging(Some(message.id), message.envelope.message_type)).event_id()
            });
            inbound.push(InboundMessage { facts: &message.facts, span: &message.span, consumed });
        }
        self.handler.apply(&mut unit, &inbound).await?;
        unit.commit().await?;
        metrics::duplicates(messages.len() - inbound.len());
        Ok(())
    }

    /// The consumer's span. A message is processed by itself, so the producer's span is its parent as well as its link, which
    /// the conventions allow for this case
    /// (<https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#consumer-spans>).
    fn process_span(&self, delivery: &Delivery, envelope: &Envelope<'_>) -> Span {
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
        if let Some(id) = envelope.id {
            identify(&span, field::MESSAGING_MESSAGE_ID, id);
        }
        if let Some(order) = &envelope.order {
            identify(&span, field::ORDER_ID, order);
        }
        span
    }
}

/// How often a message has failed in a way that waiting may not mend.
#[derive(Default)]
struct Failures(u32);

impl Failures {
    /// Counts a failure of this class. Returns whether it makes the message a dead letter.
    fn count(&mut self, error_type: ErrorType) -> bool {
        match error_type {
            ErrorType::MessageMalformed | ErrorType::MessageUnexpected => true,
            // However long the database is away, the message is not the cause.
            ErrorType::DatabaseUnavailable => false,
            _ => {
                self.0 += 1;
                self.0 >= ATTEMPTS
            }
        }
    }
}

/// A delivery that could be read.
struct Incoming<'a> {
    delivery: &'a Delivery,
    envelope: Envelope<'a>,
    id: MessageId,
    facts: OrderFacts,
    span: Span,
    /// When it was delivered.
    started: Instant,
}

impl Incoming<'_> {
    fn order(&self) -> &OrderId {
        &self.facts.order.id
    }

    fn subject(&self) -> Subject {
        Subject::order(self.order(), self.facts.order.owner)
    }

    fn count(&self) {
        metrics::processed(self.envelope.message_type, true, self.started.elapsed());
    }

    async fn acknowledge(&self, options: BasicAckOptions) {
        // If the channel is closed, the broker delivers the message again, and the inbox knows it.
        let _ = self.delivery.ack(options).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_the_database_does_not_count_as_a_failure_of_the_message() {
        let mut failures = Failures::default();
        let mut is_dead = |error_type| failures.count(error_type);
        assert!((0..100).all(|_| !is_dead(ErrorType::DatabaseUnavailable)));
        assert!((1..ATTEMPTS).all(|_| !is_dead(ErrorType::DatabaseError)));
        assert!(!is_dead(ErrorType::DatabaseUnavailable));
        assert!(is_dead(ErrorType::DatabaseError));
        assert!(Failures::default().count(ErrorType::MessageUnexpected));
    }
}
