//! Dead letters: what the broker put aside because the service could not handle it, for a person to look at and to send
//! back once the cause is mended.

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
use uuid::Uuid;

use super::{
    EXCHANGE, MessagingSettings,
    broker::{Broker, Line},
    consumer::{Message, text_of},
    dead_letter_queue,
};
use crate::domain::OrderId;

/// The header that counts how often a message was sent back.
const REPLAYS: &str = "replays";
/// What the broker writes onto a dead letter, and would only mislead on a message that begins anew.
const BROKERS_HEADERS: &str = "x-";
/// At most so many letters are taken in hand at once; more are there the next time.
const LIMIT: usize = 10_000;

/// A dead letter, without what people wrote in it.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// The message's number, if it has one.
    pub message_id: Option<Uuid>,
    /// What it claims to tell.
    pub message_type: String,
    /// The order, if it can be read.
    pub order_id: Option<OrderId>,
    /// Why the broker put it aside: `rejected` by the service, or `delivery_limit` if the service died of it again and
    /// again. Why the service rejected it stands in its log: the record `message.dead_lettered` of this number.
    pub reason: String,
    /// The class of error that reading it is, if it is one: then sending it back is in vain.
    pub unreadable: Option<&'static str>,
    /// Since when it lies there.
    #[serde(with = "time::serde::rfc3339::option")]
    pub dead_since: Option<OffsetDateTime>,
    /// The same, in hours until now.
    pub age_hours: Option<f64>,
    /// How often it was sent back before.
    pub replays: i64,
}

/// Which dead letters to send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that are there now.
    All,
    /// The one of this number.
    Message(Uuid),
}

/// What lies there, the oldest first.
///
/// # Errors
///
/// The broker can't be reached.
pub async fn list(service: Service, settings: &MessagingSettings) -> anyhow::Result<Vec<DeadLetter>> {
    let line = Broker::new(service, settings)?.connect("dead letters").await?;
    let mut letters = Vec::new();
    for_each(&line.channel, service, async |letter| {
        letters.push(letter.describe());
        Ok(true)
    })
    .await?;
    // Nothing was acknowledged: all of it is put back.
    line.connection.close(200, "listed".into()).await?;
    Ok(letters)
}

/// Sends dead letters back to the service's queue, as they came, and gives them. Each leaves the dead letters once the
/// broker has it in the queue; if that is cut off in between, it is in both, and takes effect once all the same.
///
/// # Errors
///
/// The broker can't be reached or doesn't take a message, or there is none of that number.
pub async fn replay(
    service: Service,
    settings: &MessagingSettings,
    selection: Selection,
) -> anyhow::Result<Vec<DeadLetter>> {
    let line = Broker::new(service, settings)?.connect("dead letters").await?;
    line.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // All are taken in hand before the first is sent, so that one that comes back at once isn't met again.
    let mut chosen = Vec::new();
    for_each(&line.channel, service, async |letter| {
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
        letter.send_back(&line).await.with_context(|| format!("replaying message {:?}", described.message_id))?;
        replayed.push(described);
    }
    line.connection.close(200, "replayed".into()).await?;
    Ok(replayed)
}

/// How often a person has sent this message back.
pub(super) fn replays(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    headers.and_then(|headers| headers.inner().get(REPLAYS)?.as_long_long_int()).unwrap_or_default()
}

/// Takes one dead letter after the other in hand, until there is none any more or `look` has seen enough.
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

/// A dead letter in hand: nobody else sees it until the channel is closed.
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

    fn id(&self) -> Option<Uuid> {
        Message::read(&self.delivery).0.id
    }

    fn describe(&self) -> DeadLetter {
        let (message, content) = Message::read(&self.delivery);
        let age = self.death.at.map(|at| OffsetDateTime::now_utc() - at);
        DeadLetter {
            message_id: message.id,
            message_type: message.message_type.to_owned(),
            order_id: message.order,
            reason: self.death.reason.clone(),
            unreadable: content.err().map(|failure| failure.error_type.name()),
            dead_since: self.death.at,
            age_hours: age.map(|age| (age.as_seconds_f64() / 36.0).round() / 100.0),
            replays: replays(&self.delivery),
        }
    }

    async fn send_back(self, line: &Line) -> anyhow::Result<()> {
        ensure!(self.death.exchange == EXCHANGE, "it did not come through the exchange {EXCHANGE:?}");
        let Delivery { routing_key, properties, data, acker, .. } = self.delivery;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = line.channel.basic_publish(EXCHANGE.into(), routing_key, options, &data, anew(properties));
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
