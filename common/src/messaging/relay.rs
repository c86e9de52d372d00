//! The relay: publishes what waits in the outbox.

use std::{collections::HashSet, sync::Arc, time::Duration};

use catalogue::{Action, field};
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    Backoff, EXCHANGE,
    broker::{Broker, Line},
    outbox::{self, Waiting},
};
use crate::{
    crash,
    failure::{ErrorType, Failure, FailureContext as _},
    journal::{self, Journal},
    telemetry::{Record, Subject, TraceContext, adopt, identify},
};

const PERSISTENT: u8 = 2;

pub(super) struct Relay {
    pub(super) broker: Broker,
    pub(super) database: PgPool,
    pub(super) wake: Arc<Notify>,
    pub(super) journal: Journal,
    pub(super) batch: i64,
    pub(super) poll: Duration,
    /// A broker that neither takes nor confirms a batch for this long (blocked by an alarm, or cut off) is left and tried
    /// anew.
    pub(super) patience: Duration,
    pub(super) stopping: CancellationToken,
}

impl Relay {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new();
        let mut reported = false;
        while let Some(Err(failure)) = self.stopping.run_until_cancelled(self.relay_until_broken(&mut backoff)).await {
            reported &= !backoff.is_first();
            reported |= self.report(&failure, reported).await;
            self.stopping.run_until_cancelled(backoff.wait()).await;
        }
    }

    async fn relay_until_broken(&self, backoff: &mut Backoff) -> Result<(), Failure> {
        let line = self.broker.connect("relay").await?;
        line.channel.confirm_select(ConfirmSelectOptions::default()).await.failure("asking for confirms")?;
        loop {
            let published = self.publish_batch(&line).await?;
            backoff.reset();
            if published < self.batch {
                // The notification is only for speed; the look into the table is the truth.
                let _ = tokio::time::timeout(self.poll, self.wake.notified()).await;
            }
            if !line.connection.status().connected() {
                return Err(Failure::bare(ErrorType::BrokerUnavailable, "the broker closed the connection"));
            }
        }
    }

    /// Publishes one batch; gives how many messages it had.
    async fn publish_batch(&self, line: &Line) -> Result<i64, Failure> {
        let mut transaction = self.database.begin().await.failure("reading the outbox")?;
        let waiting = outbox::claim(&mut transaction, self.batch).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let spans: Vec<_> = waiting.iter().map(publish_span).collect();
        let publish = publish(line, &waiting, &spans);
        let failed = tokio::time::timeout(self.patience, publish).await.failure("publishing messages")??;

        let done = |message: &&Waiting| !failed.contains(&message.message_id.to_string());
        crash::point("relay.confirmed");
        let published: Vec<_> = waiting.iter().filter(done).map(|message| message.seq).collect();
        let entries = waiting
            .iter()
            .zip(&spans)
            .filter(|(message, _)| done(message))
            .map(|(message, span)| span.in_scope(|| record(Action::MessagePublished, message).of_change()));
        let entries: Vec<_> = entries.collect();
        outbox::delete(&mut transaction, &published).await?;
        journal::keep(&mut transaction, &entries).await?;
        transaction.commit().await.failure("clearing the outbox")?;
        crash::point("relay.marked");
        self.journal.write(entries);

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
    /// nothing waiting, nothing has failed, and only the health check tells. Says whether anything was recorded.
    async fn report(&self, failure: &Failure, reported: bool) -> bool {
        let waiting = async {
            let mut connection = self.database.acquire().await.failure("reading the outbox")?;
            outbox::claim(&mut connection, 1).await
        };
        match waiting.await {
            Ok(messages) => {
                let Some(message) = messages.first() else { return false };
                publish_span(message).in_scope(|| {
                    if !reported {
                        failed(failure, subject(message))
                            .messaging(Some(message.message_id), &message.message_type)
                            .write();
                    }
                    record(Action::MessageRetried, message).failed(tracing::Level::WARN, failure).write();
                });
            }
            // The database is away: which messages wait is unknown.
            Err(_) if !reported => failed(failure, Subject::default()).write(),
            Err(_) => {}
        }
        true
    }
}

fn failed<'a>(failure: &Failure, subject: Subject) -> Record<'a> {
    Record::failure(Action::MessagePublished, subject, failure)
}

fn subject(message: &Waiting) -> Subject {
    Subject { order: message.order_id.parse().ok(), ..Subject::default() }
}

fn record(action: Action, message: &Waiting) -> Record<'_> {
    Record::success(action, subject(message)).messaging(Some(message.message_id), &message.message_type)
}

/// Sends a batch and waits for all its confirms. Gives the ids of messages that the broker did not take.
async fn publish(line: &Line, waiting: &[Waiting], spans: &[Span]) -> Result<HashSet<String>, Failure> {
    let mut confirms = Vec::with_capacity(waiting.len());
    for (message, span) in waiting.iter().zip(spans) {
        let body = serde_json::to_vec(&message.body).failure("writing a message down")?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = line.channel.basic_publish(
            EXCHANGE.into(),
            message.message_type.as_str().into(),
            options,
            &body,
            properties(message, span),
        );
        confirms.push(sent.await.failure("publishing a message")?);
    }
    crash::point("relay.published");
    let mut failed = HashSet::new();
    for (message, confirm) in waiting.iter().zip(confirms) {
        let confirmation = confirm.await.failure("waiting for a confirm")?;
        if !matches!(confirmation, Confirmation::Ack(_)) {
            failed.insert(message.message_id.to_string());
        }
        // A returned message may hang on another one's confirm, so its own id counts.
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
