//! Dead letters: messages that the broker put aside because the service could not handle them, for a person to look at and
//! to send back once the cause is fixed.

use catalogue::Service;
use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    broker::{Broker, EXCHANGE, Link, dead_letter_queue},
    delivery::{Envelope, REPLAYS, replays, text_of},
    settings::MessagingSettings,
};
use crate::{
    authorities::Authorities,
    domain::{MessageId, OrderId},
};

/// The broker's own headers on a dead letter, which would mislead on a message that begins anew.
const BROKERS_HEADERS: &str = "x-";
/// Dead letters that are read at a time.
const LIMIT: usize = 10_000;

/// A dead letter, without anything that people wrote.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// The message's id, if it has one.
    pub message_id: Option<MessageId>,
    /// Its type, as it claims.
    pub message_type: String,
    /// The order, if it can be read.
    pub order_id: Option<OrderId>,
    /// Why the broker put it aside: `rejected` by the service, or `delivery_limit` if the service died of it again and
    /// again. Why the service rejected it is in its log: the record `message.dead_lettered` of this id.
    pub reason: String,
    /// The class of the error that reading it ends in, if it does: then it can't be handled when it is sent back.
    pub unreadable: Option<&'static str>,
    /// When it became a dead letter.
    #[serde(with = "time::serde::rfc3339::option")]
    pub dead_since: Option<OffsetDateTime>,
    /// Its age as a dead letter, in hours.
    pub age_hours: Option<f64>,
    /// How often it was sent back before.
    pub replays: i64,
}

/// Which dead letters to send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that are there now.
    All,
    /// The one of this id.
    Message(MessageId),
}

/// All dead letters, the oldest first.
///
/// # Errors
///
/// The broker can't be reached.
pub async fn list(
    service: Service,
    settings: &MessagingSettings,
    authorities: &Authorities,
) -> anyhow::Result<Vec<DeadLetter>> {
    let link = Broker::new(service, settings, authorities)?.connect("dead letters").await?;
    let mut letters = Vec::new();
    for_each(&link.channel, service, async |letter| {
        letters.push(letter.describe());
        Ok(true)
    })
    .await?;
    // Nothing was acknowledged: the broker puts all of them back.
    link.connection.close(200, "listed".into()).await?;
    Ok(letters)
}

/// Sends dead letters back to the service's queue, as they came, and returns them. Each leaves the dead letters once the
/// broker has it in the queue. If that is interrupted in between, it is in both, and takes effect once all the same.
///
/// # Errors
///
/// The broker can't be reached or doesn't take a message, or there is none of that id.
pub async fn replay(
    service: Service,
    settings: &MessagingSettings,
    authorities: &Authorities,
    selection: Selection,
) -> anyhow::Result<Vec<DeadLetter>> {
    let link = Broker::new(service, settings, authorities)?.connect("dead letters").await?;
    link.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // All are read before the first is sent, so that one that comes back at once isn't read again.
    let mut chosen = Vec::new();
    for_each(&link.channel, service, async |letter| {
        match selection {
            Selection::All => chosen.push(letter),
            Selection::Message(id) if letter.id() == Some(id) => {
                chosen.push(letter);
                return Ok(false);
            }
            Selection::Message(_) => {}
        }
        Ok(true)
    })
    .await?;
    if let (Selection::Message(id), true) = (selection, chosen.is_empty()) {
        bail!("there is no dead letter {id}");
    }
    let mut replayed = Vec::with_capacity(chosen.len());
    for letter in chosen {
        let described = letter.describe();
        letter.send_back(&link).await.with_context(|| format!("replaying message {:?}", described.message_id))?;
        replayed.push(described);
    }
    link.connection.close(200, "replayed".into()).await?;
    Ok(replayed)
}

/// Reads one dead letter after the other, until there is none any more or `look` returns false.
async fn for_each(
    channel: &Channel,
    service: Service,
    mut look: impl AsyncFnMut(Letter) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let queue = dead_letter_queue(service);
    for _ in 0..LIMIT {
        let Some(got) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await? else { break };
        if !look(Letter::of(got.delivery)).await? {
            break;
        }
    }
    Ok(())
}

/// A dead letter that was read: no other reader sees it until the channel is closed.
struct Letter {
    delivery: Delivery,
    death: Death,
}

/// What the broker wrote about its last death.
#[derive(Debug, Default)]
struct Death {
    exchange: String,
    reason: String,
    at: Option<OffsetDateTime>,
}

impl Letter {
    fn of(mut delivery: Delivery) -> Self {
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        // The broker's list has the last death first (https://www.rabbitmq.com/docs/dlx#effects).
        let deaths = headers.inner().get("x-death").and_then(AMQPValue::as_array);
        let last = deaths.and_then(|deaths| deaths.as_slice().first()?.as_field_table().cloned()).unwrap_or_default();
        let field = |name: &str| last.inner().get(name);
        let text = |name: &str| field(name).and_then(text_of).unwrap_or_default();
        let at = field("time").and_then(AMQPValue::as_timestamp).and_then(|seconds| i64::try_from(seconds).ok());
        let keys = field("routing-keys").and_then(AMQPValue::as_array);
        let key = keys.and_then(|keys| text_of(keys.as_slice().first()?)).unwrap_or_default();
        let death = Death {
            exchange: text("exchange"),
            reason: text("reason"),
            at: at.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        };
        // As it was when it came to the service.
        delivery.routing_key = ShortString::from(key);
        Self { delivery, death }
    }

    fn id(&self) -> Option<MessageId> {
        Envelope::read(&self.delivery).0.id
    }

    fn describe(&self) -> DeadLetter {
        let (envelope, content) = Envelope::read(&self.delivery);
        let age = self.death.at.map(|at| OffsetDateTime::now_utc() - at);
        DeadLetter {
            message_id: envelope.id,
            message_type: envelope.message_type.to_owned(),
            order_id: envelope.order,
            reason: self.death.reason.clone(),
            unreadable: content.err().map(|failure| failure.error_type.name()),
            dead_since: self.death.at,
            age_hours: age.map(|age| (age.as_seconds_f64() / 36.0).round() / 100.0),
            replays: replays(&self.delivery),
        }
    }

    async fn send_back(self, link: &Link) -> anyhow::Result<()> {
        ensure!(self.death.exchange == EXCHANGE, "it did not come through the exchange {EXCHANGE:?}");
        let Delivery { routing_key, properties, data, acker, .. } = self.delivery;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = link.channel.basic_publish(EXCHANGE.into(), routing_key, options, &data, anew(properties));
        let confirmation = publish.await?.await?;
        ensure!(matches!(confirmation, Confirmation::Ack(None)), "the broker did not take it: {confirmation:?}");
        acker.ack(BasicAckOptions::default()).await?;
        Ok(())
    }
}

/// The properties of a message that begins anew: without the broker's notes about its deaths and deliveries, with one
/// more replay.
fn anew(properties: BasicProperties) -> BasicProperties {
    let headers = properties.headers().clone().unwrap_or_default();
    let replays = headers.inner().get(REPLAYS).and_then(AMQPValue::as_long_long_int).unwrap_or_default() + 1;
    let mut kept: BTreeMap<ShortString, AMQPValue> = headers.inner().clone();
    kept.retain(|name, _| !name.as_str().starts_with(BROKERS_HEADERS));
    kept.insert(REPLAYS.into(), AMQPValue::LongLongInt(replays));
    properties.with_headers(FieldTable::from(kept))
}
