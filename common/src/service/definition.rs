//! The trait [`Definition`]: everything in which the services differ.

use catalogue::Service;
use sqlx::{PgConnection, migrate::Migrator};
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    background::Background,
    domain::{OrderStatus, Role},
    failure::Failure,
    messaging::MessagingSettings,
    state::Core,
};

/// What makes a service this one: its name, its defaults, its routes and its background work.
pub trait Definition: Send + Sync + 'static {
    /// Its name.
    const SERVICE: Service;
    /// What it is for, in a sentence.
    const ABOUT: &'static str;
    /// Its address, unless a setting says otherwise.
    const LISTEN_ADDR: &'static str;
    /// Where its metrics can be scraped, unless a setting says otherwise.
    const METRICS_ADDR: &'static str;
    /// Its database, unless a setting says otherwise.
    const DATABASE_URL: &'static str;
    /// RabbitMQ, unless a setting says otherwise; empty if it doesn't use it.
    const AMQP_URL: &'static str = "";
    /// The roles whose accounts are created by its subcommands.
    const ROLES: &'static [Role];
    /// The roles that accounts with a password can be given by its subcommands.
    const ASSIGNED: &'static [Role] = Self::ROLES;
    /// The settings that only this service has.
    type Settings: clap::Args + Clone + Send + Sync;

    /// The tables that only this service's database has.
    fn migrations() -> Migrator;

    /// How it talks to RabbitMQ, if it does.
    fn messaging(_settings: &Self::Settings) -> Option<&MessagingSettings> {
        None
    }

    /// What its orders are waiting in, for metrics. It is asked the less often the longer it takes.
    ///
    /// # Errors
    ///
    /// If the database fails.
    fn standing(connection: &mut PgConnection) -> impl Future<Output = Result<Standing, Failure>> + Send;

    /// Starts the background work. Returns the routes.
    ///
    /// # Errors
    ///
    /// If a setting can't be used; the message names it.
    fn start(core: &Core, settings: &Self::Settings, background: &mut Background) -> anyhow::Result<OpenApiRouter>;
}

/// What a service's orders are waiting in.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Each status that open orders are in.
    pub statuses: Vec<InStatus>,
    /// Whether [`InStatus::stuck`] is known here.
    pub knows_stuck: bool,
    /// Price calculations that ended without a price so far; none in a service that calculates none.
    pub failed_prices: Option<i64>,
}

/// The orders that are in a status.
#[derive(Clone, Copy, Debug)]
pub struct InStatus {
    /// The status.
    pub status: OrderStatus,
    /// How many.
    pub orders: i64,
    /// Since when the longest-waiting of them is in it.
    pub oldest: OffsetDateTime,
    /// Those that were reported as stuck in it.
    pub stuck: i64,
}
