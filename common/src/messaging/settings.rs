//! How a service talks to RabbitMQ.

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

/// How a service talks to RabbitMQ.
#[derive(Clone, Debug, Args)]
pub struct MessagingSettings {
    /// RabbitMQ, as `amqp://login:password@host:port/vhost` or `amqps://…`
    #[arg(long, env, default_value = "", hide_env_values = true)]
    pub amqp_url: SecretString,
    /// Transactions in which messages are handled at the same time, each of all that came at once
    #[arg(long, env, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub consumer_concurrency: u16,
    /// Messages published in one batch, and confirmed together
    #[arg(long, env, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub relay_batch: u16,
    /// Milliseconds between two looks into the outbox
    #[arg(long, env, default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub relay_poll_ms: u64,
    /// Seconds that the broker may take to let us in, and to take and confirm a batch
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub broker_seconds: u64,
}

impl MessagingSettings {
    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.broker_seconds)
    }
}
