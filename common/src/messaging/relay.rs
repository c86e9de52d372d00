//! The relay: publishes what waits in the outbox.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use catalogue::{Action, field};
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    backoff::Backoff,
    broker::{Broker, EXCHANGE, Link},
};
use crate::{
    crash,
    database::{Database, in_time},
    failure::{ErrorType, Failure, FailureContext as _},
    outbox::table::{self, Waiting},
    planted::{self, Bug},
    telemetry::{Record, Subject, TraceContext, adopt, identify, metrics},
    unit_of_work::Units,
};

const PERSISTENT: u8 = 2;

pub(super) struct Relay {
    pub(super) broker: Broker,
    pub(super) database: Database,
    pub(super) units: Units,
    pub(super) wake: Arc<Notify>,
    pub(super) batch: i64,
    pub(super) poll: Duration,
    /// A connection whose broker neither takes nor confirms a batch for this long (blocked by an alarm, or cut off) is
    /// replaced.
    pub(super) timeout: Duration,
    /// How often dead letters are counted, for metrics.
    pub(super) count_every: Duration,
    pub(super) stopping: CancellationToken,
}

impl Relay {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new();
        let mut reported = false;
        while let Some(Err(failure)) = self.stopping.run_until_cancelled(self.relay_until_broken(&mut backoff)).await {
            metrics::dead_letters(None);
            reported &= !backoff.is_first();
            reported |= self.report(&failure, reported).await;
            self.stopping.run_until_cancelled(backoff.wait()).await;
        }
    }

    async fn relay_until_broken(&self, backoff: &mut Backoff) -> Result<(), Failure> {
        let link = self.broker.connect("relay").await?;
        link.channel.confirm_select(ConfirmSelectOptions::default()).await.failure("asking for confirms")?;
        let mut dead_letters_known = None;
        loop {
            if dead_letters_known.is_none_or(|known: Instant| known.elapsed() >= self.count_every)
                && metrics::has_turn()
            {
                metrics::dead_letters(Some(self.broker.dead_letters(&link).await?));
                dead_letters_known = Some(Instant::now());
            }
            let published = self.publish_batch(&link).await?;
            backoff.reset();
            if published < self.batch {
                // The notification saves time; the table is what counts.
                let _ = tokio::time::timeout(self.poll, self.wake.notified()).await;
            }
            if !link.connection.status().connected() {
                return Err(Failure::bare(ErrorType::BrokerUnavailable, "the broker closed the connection"));
            }
        }
    }

    /// Publishes one batch. Returns how many messages it had.
    async fn publish_batch(&self, link: &Link) -> Result<i64, Failure> {
        let claim = async {
            let mut unit = self.units.begin("relay").await?;
            let waiting = table::claim(unit.connection(), self.batch).await?;
            Ok((unit, waiting))
        };
        let (mut unit, waiting) = in_time(claim).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let spans: Vec<_> = waiting.iter().map(publish_span).collect();
        if planted::has(Bug::ForgetfulRelay) {
            let all: Vec<_> = waiting.iter().map(|message| message.seq).collect();
            table::delete(unit.connection(), &all).await?;
            unit.commit().await?;
            planted::hesitate(Bug::ForgetfulRelay).await;
            unit = self.units.begin("relay").await?;
        }
        let publish = publish(link, &waiting, &spans);
        let failed = tokio::time::timeout(self.timeout, publish).await.failure("publishing messages")??;

        crash::point("relay", "confirmed");
        let mut published = Vec::with_capacity(waiting.len());
        let is_confirmed = |message: &Waiting| !failed.contains(&message.message_id.to_string());
        for (message, span) in waiting.iter().zip(&spans).filter(|(message, _)| is_confirmed(message)) {
            let record = Record::of_change(Action::MessagePublished, subject(message));
            let record = record.messaging(Some(message.message_id), &message.message_type);
            span.in_scope(|| {
                unit.record(record);
            });
            published.push(message.seq);
        }
        let deleted = async {
            table::delete(unit.connection(), &published).await?;
            unit.commit().await
        };
        in_time(deleted).await?;
        waiting.iter().filter(|message| is_confirmed(message)).for_each(|message| {
            metrics::published(&message.message_type);
        });

        if failed.is_empty() {
            Ok(i64::try_from(waiting.len()).unwrap_or(i64::MAX))
        } else {
            Err(Failure::bare(
                ErrorType::BrokerError,
                "the broker did not take some messages: it has no queue for them",
            ))
        }
    }

    /// Records that messages wait and why: an ERROR once, unless it was `reported` before, and a WARN at each try. With
    /// nothing waiting, nothing has failed, and only the health check shows the broker's state. Returns whether anything was
    /// recorded.
    async fn report(&self, failure: &Failure, reported: bool) -> bool {
        // Without a lock: the transaction that has failed may still hold its own, until its rollback has reached the database.
        let first = async {
            let mut connection = self.database.connection().await?;
            table::first(&mut connection).await
        };
        match in_time(first).await {
            Ok(None) => return false,
            Ok(Some(message)) => publish_span(&message).in_scope(|| {
                if !reported {
                    Record::failure(Action::MessagePublished, subject(&message), failure)
                        .messaging(Some(message.message_id), &message.message_type)
                        .write();
                }
                let record = Record::notice(Action::MessageRetried, subject(&message));
                let record = record.messaging(Some(message.message_id), &message.message_type);
                record.failed(tracing::Level::WARN, failure).write();
            }),
            // The database is away: which messages wait is unknown.
            Err(_) if !reported => Record::failure(Action::MessagePublished, Subject::default(), failure).write(),
            Err(_) => {}
        }
        true
    }
}

fn subject(message: &Waiting) -> Subject {
    Subject::just_order(&message.order_id)
}

/// Sends a batch and waits for all its confirms. Returns the ids of messages that the broker did not take.
async fn publish(link: &Link, waiting: &[Waiting], spans: &[Span]) -> Result<HashSet<String>, Failure> {
    let mut confirms = Vec::with_capacity(waiting.len());
    for (message, span) in waiting.iter().zip(spans) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = link.channel.basic_publish(
            EXCHANGE.into(),
            message.message_type.as_str().into(),
            options,
            message.body.as_bytes(),
            properties(message, span),
        );
        confirms.push(sent.await.failure("publishing a message")?);
    }
    crash::point("relay", "published");
    let mut failed = HashSet::new();
    for (message, confirm) in waiting.iter().zip(confirms) {
        let confirmation = confirm.await.failure("waiting for a confirm")?;
        if !matches!(confirmation, Confirmation::Ack(_)) {
            failed.insert(message.message_id.to_string());
        }
        // A returned message may be attached to another one's confirm, so its own id counts.
        if let Some(returned) = confirmation.take_message() {
            failed.extend(returned.delivery.properties.message_id().as_ref().map(ToString::to_string));
        }
    }
    Ok(failed)
}

fn properties(message: &Waiting, span: &Span) -> BasicProperties {
    let trace = TraceContext::of(span);
    let mut headers = FieldTable::default();
    for (name, value) in [("traceparent", trace.traceparent), ("tracestate", trace.tracestate)] {
        if let Some(value) = value {
            headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
        }
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(message.message_id.to_string().into())
        .with_type(message.message_type.as_str().into())
        .with_headers(headers)
}

/// The producer's span, in the trace of the request that made the change
/// (<https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/>).
fn publish_span(message: &Waiting) -> Span {
    let span = tracing::error_span!(
        "message.publish",
        { field::TRACE_ID } = Empty,
        otel.name = format!("publish {EXCHANGE}:{}", message.message_type),
        otel.kind = "producer",
    );
    adopt(&span, &message.trace());
    span.set_attribute("messaging.system", "rabbitmq");
    span.set_attribute("messaging.operation.name", "publish");
    span.set_attribute("messaging.operation.type", "send");
    span.set_attribute("messaging.destination.name", format!("{EXCHANGE}:{}", message.message_type));
    span.set_attribute("messaging.rabbitmq.destination.routing_key", message.message_type.clone());
    identify(&span, field::MESSAGING_MESSAGE_ID, message.message_id);
    identify(&span, field::ORDER_ID, &message.order_id);
    span
}
