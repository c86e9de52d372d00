//! Connections to RabbitMQ, and the exchange and queues that a service declares.

use catalogue::Service;
use std::time::Duration;

use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable, LongString},
    uri::AMQPUri,
};
use secrecy::ExposeSecret as _;

use super::settings::MessagingSettings;
use crate::{
    authorities::Authorities,
    failure::{Failure, FailureContext as _},
    outbox::MessageType,
};

/// The exchange that every message goes through.
pub(super) const EXCHANGE: &str = "orders";
/// Seconds between heartbeats; after two without one the peer counts as gone.
const HEARTBEAT: u16 = 10;

/// A service's queue.
pub(super) fn queue(service: Service) -> String {
    format!("{service}.orders")
}

/// Where the broker puts what the service rejects; its policy says so.
pub(super) fn dead_letter_queue(service: Service) -> String {
    format!("{service}.orders.dead-letter")
}

/// How to reach RabbitMQ.
#[derive(Clone)]
pub(super) struct Broker {
    service: Service,
    uri: AMQPUri,
    authorities: Authorities,
    /// The broker counts as away if connecting and declaring take longer than this.
    timeout: Duration,
}

/// A channel and its connection.
pub(super) struct Link {
    pub(super) channel: Channel,
    pub(super) connection: Connection,
}

impl Broker {
    pub(super) fn new(
        service: Service,
        settings: &MessagingSettings,
        authorities: &Authorities,
    ) -> anyhow::Result<Self> {
        // The error would repeat the URL with its password.
        let url = settings.amqp_url.expose_secret();
        let mut uri: AMQPUri =
            url.parse().map_err(|_| anyhow::anyhow!("AMQP_URL: this is no amqp:// or amqps:// URL"))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        uri.query.connection_timeout.get_or_insert(5_000);
        Ok(Self { service, uri, authorities: authorities.clone(), timeout: settings.timeout() })
    }

    /// A new connection with one channel; exchange and queues exist when this returns. A connection that breaks is dropped,
    /// and its successor is made here.
    pub(super) async fn connect(&self, purpose: &str) -> Result<Link, Failure> {
        let name = format!("{} {purpose}", self.service);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connect = async {
            let tls = OwnedTLSConfig { cert_chain: self.authorities.if_any().map(str::to_owned), identity: None };
            let runtime = lapin::runtime::default_runtime()?;
            let connection = Connection::connect_uri_with_config(self.uri.clone(), properties, tls, runtime).await?;
            let channel = connection.create_channel().await?;
            declare(&channel, self.service).await?;
            Ok::<_, lapin::Error>(Link { channel, connection })
        };
        tokio::time::timeout(self.timeout, connect)
            .await
            .failure("connecting to the broker")?
            .failure("connecting to the broker")
    }

    /// How many dead letters there are.
    pub(super) async fn dead_letters(&self, link: &Link) -> Result<u32, Failure> {
        let name = dead_letter_queue(self.service);
        let declared = link.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), quorum());
        let declared = tokio::time::timeout(self.timeout, declared).await.failure("counting dead letters")?;
        Ok(declared.failure("counting dead letters")?.message_count())
    }
}

/// Declares the exchange and the service's own queues; its permissions allow no more. Until the other service has declared
/// its queue for the first time, the broker returns what is published for it, and that stays in the outbox.
async fn declare(channel: &Channel, service: Service) -> Result<(), lapin::Error> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    // The dead letters' queue first: a message could be rejected as soon as the other one is there.
    for name in [dead_letter_queue(service), queue(service)] {
        channel.queue_declare(name.into(), QueueDeclareOptions::durable(), quorum()).await?;
    }
    for message_type in MessageType::ALL.into_iter().filter(|message_type| message_type.recipient() == service) {
        let (name, key) = (queue(service), message_type.name());
        channel
            .queue_bind(name.into(), EXCHANGE.into(), key.into(), QueueBindOptions::default(), FieldTable::default())
            .await?;
    }
    Ok(())
}

/// The type is the only argument: it can't be changed later, while limits and dead letters can, by policy.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    arguments
}
