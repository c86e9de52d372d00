//! Messages between CRM and MES: outbox → relay → RabbitMQ → inbox.
//!
//! A message and the change that it reports are written in one transaction (outbox). The relay publishes it and deletes it
//! once the broker has it. The receiver applies it and notes its id in one transaction (inbox) before it acknowledges. So a
//! message is delivered at least once and takes effect exactly once.

mod backoff;
mod broker;
mod consumer;
pub mod dead_letters;
mod delivery;
mod inbox;
mod relay;
mod settings;

use std::{sync::Arc, time::Duration};

use broker::Broker;
use consumer::Consumer;
pub use consumer::{Handler, InboundMessage};
use relay::Relay;
pub use settings::MessagingSettings;

use crate::{background::Background, state::Core};

/// Starts the relay and the consumer. Both run until the service stops: a broker that is away is waited for.
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
    let broker = Broker::new(core.service, settings, &core.authorities)?;
    let relay = Relay {
        broker: broker.clone(),
        database: core.database.clone(),
        units: core.units.clone(),
        wake: Arc::clone(&core.outbox_written),
        batch: i64::from(settings.relay_batch),
        poll: Duration::from_millis(settings.relay_poll_ms),
        timeout: settings.timeout(),
        count_every: core.count_every,
        stopping: background.stopping(),
    };
    background.spawn("relay", relay.run());
    let consumer = Consumer {
        broker,
        service: core.service,
        units: core.units.clone(),
        handler,
        concurrency: settings.consumer_concurrency,
        connected: core.health.broker(),
        stopping: background.stopping(),
    };
    background.spawn("consumer", consumer.run());
    Ok(())
}
