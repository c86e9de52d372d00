//! Messages between CRM and MES: outbox → relay → RabbitMQ → inbox.
//!
//! A message and the change that it reports are written in one transaction (outbox); the relay publishes it and deletes
//! it once the broker has it; the receiver applies it and notes its number in one transaction (inbox) before it
//! acknowledges. So a message is delivered at least once and takes effect exactly once.

mod broker;
mod consumer;
pub mod dead_letters;
mod inbox;
mod outbox;
mod relay;
mod schema;

use catalogue::Service;
use std::{sync::Arc, time::Duration};

use clap::Args;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use consumer::{Handler, InboundMessage};
pub use outbox::write;

use crate::{Core, service::Background};

/// The exchange that every message goes through.
const EXCHANGE: &str = "orders";

/// What a message tells; also its AMQP type and routing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageType {
    /// A customer's order is placed and needs a price (to the MES).
    #[serde(rename = "order.submitted")]
    OrderSubmitted,
    /// A seller has approved an order (to the MES).
    #[serde(rename = "order.approved")]
    OrderApproved,
    /// A partner has placed an order (to the CRM).
    #[serde(rename = "order.partner_submitted")]
    OrderPartnerSubmitted,
    /// A price is calculated (to the CRM).
    #[serde(rename = "order.priced")]
    OrderPriced,
    /// A price could not be calculated (to the CRM).
    #[serde(rename = "order.price_failed")]
    OrderPriceFailed,
    /// Production went one status on (to the CRM).
    #[serde(rename = "order.progressed")]
    OrderProgressed,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OrderSubmitted,
        Self::OrderApproved,
        Self::OrderPartnerSubmitted,
        Self::OrderPriced,
        Self::OrderPriceFailed,
        Self::OrderProgressed,
    ];

    /// The name, in AMQP and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderSubmitted => "order.submitted",
            Self::OrderApproved => "order.approved",
            Self::OrderPartnerSubmitted => "order.partner_submitted",
            Self::OrderPriced => "order.priced",
            Self::OrderPriceFailed => "order.price_failed",
            Self::OrderProgressed => "order.progressed",
        }
    }

    /// Who is told.
    #[must_use]
    pub const fn recipient(self) -> Service {
        match self {
            Self::OrderSubmitted | Self::OrderApproved => Service::MesApi,
            Self::OrderPartnerSubmitted | Self::OrderPriced | Self::OrderPriceFailed | Self::OrderProgressed => {
                Service::CrmApi
            }
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|message_type| message_type.name() == name)
    }
}

/// A service's queue.
fn queue(service: Service) -> String {
    format!("{service}.orders")
}

/// Where the broker puts what that service rejects; its policy says so.
fn dead_letter_queue(service: Service) -> String {
    format!("{service}.orders.dead-letter")
}

/// How a service talks to RabbitMQ.
#[derive(Clone, Debug, Args)]
pub struct MessagingSettings {
    /// RabbitMQ, as `amqp://login:password@host:port/vhost` or `amqps://…`
    #[arg(long, env = "AMQP_URL", value_name = "AMQP_URL", default_value = "", hide_env_values = true)]
    pub amqp_url: SecretString,
    /// Transactions in which messages are handled at the same time, each of as many as came together
    #[arg(long, env = "CONSUMER_CONCURRENCY", value_name = "CONSUMER_CONCURRENCY", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub consumer_concurrency: u16,
    /// Messages published in one batch, and confirmed together
    #[arg(long, env = "RELAY_BATCH", value_name = "RELAY_BATCH", default_value_t = 200,
          value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub relay_batch: u16,
    /// Milliseconds between two looks into the outbox
    #[arg(long, env = "RELAY_POLL_MS", value_name = "RELAY_POLL_MS", default_value_t = 250,
          value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub relay_poll_ms: u64,
    /// Seconds that the broker may take to let us in, and to take and confirm a batch
    #[arg(long, env = "BROKER_SECONDS", value_name = "BROKER_SECONDS", default_value_t = 15,
          value_parser = clap::value_parser!(u64).range(1..=600))]
    pub broker_seconds: u64,
}

impl MessagingSettings {
    const fn patience(&self) -> Duration {
        Duration::from_secs(self.broker_seconds)
    }
}

/// Starts the relay and the consumer. Both go on for ever: a broker that is away is waited for.
///
/// # Errors
///
/// If `AMQP_URL` can't be read.
pub fn start(
    core: &Core,
    settings: &MessagingSettings,
    handler: impl Handler,
    background: &mut Background,
) -> anyhow::Result<()> {
    let broker = broker::Broker::new(core.service, settings)?;
    let relay = relay::Relay {
        broker: broker.clone(),
        database: core.database.clone(),
        wake: Arc::clone(&core.outbox_written),
        journal: core.journal.clone(),
        batch: i64::from(settings.relay_batch),
        poll: Duration::from_millis(settings.relay_poll_ms),
        patience: settings.patience(),
        stopping: background.stopping(),
    };
    background.spawn("relay", relay.run());
    let consumer = consumer::Consumer {
        broker,
        service: core.service,
        database: core.database.clone(),
        handler,
        journal: core.journal.clone(),
        concurrency: settings.consumer_concurrency,
        connected: core.health.broker(),
        stopping: background.stopping(),
    };
    background.spawn("consumer", consumer.run());
    Ok(())
}

/// Waits between tries: longer each time, never for ever, and not in step with the other replicas.
struct Backoff(u32);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(15);

    const fn new() -> Self {
        Self(0)
    }

    /// Whether this would be the first wait since all was well.
    const fn is_first(&self) -> bool {
        self.0 == 0
    }

    const fn reset(&mut self) {
        self.0 = 0;
    }

    async fn wait(&mut self) {
        let longest = Self::FIRST.saturating_mul(1 << self.0.min(16)).min(Self::LONGEST);
        self.0 += 1;
        let mut byte = [128];
        // Without randomness the replicas are in step, which is no reason to fail.
        let _ = getrandom::fill(&mut byte);
        tokio::time::sleep(longest.mul_f64(0.5 + f64::from(byte[0]) / 512.0)).await;
    }
}
