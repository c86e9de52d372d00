//! What operators and partners use: prices, production, shipping.

pub mod messages;
pub mod orders;
pub mod pricing;
mod routes;
mod settings;

use axum::extract::FromRef;
use catalogue::Service;
use common::{
    Core,
    auth::Role,
    messaging::{self, MessagingSettings},
    service::{Background, Definition},
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

pub use settings::MesSettings;

use pricing::{PriceList, PriceQueue};

/// The service.
pub struct MesApi;

/// What handlers of requests and messages can use.
#[derive(Clone, FromRef)]
pub struct Mes {
    /// What every service has.
    pub core: Core,
    /// InboundMessage of prices that are to be calculated.
    pub prices: PriceQueue,
}

impl Definition for MesApi {
    const SERVICE: Service = Service::MesApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8083";
    const DATABASE_URL: &'static str = "postgres://mes:mes@127.0.0.1:5432/mes";
    const AMQP_URL: &'static str = "amqp://mes:mes-local-only@127.0.0.1:5672/%2f";
    const ROLES: &'static [Role] = &[Role::Operator, Role::Partner];
    type Settings = MesSettings;

    fn migrations() -> Migrator {
        sqlx::migrate!()
    }

    fn messaging(settings: &MesSettings) -> Option<&MessagingSettings> {
        Some(&settings.messaging)
    }

    fn start(core: &Core, settings: &MesSettings, background: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let price_list = PriceList::load(settings.prices_file.as_deref())?;
        let mes = Mes { core: core.clone(), prices: PriceQueue::default() };
        pricing::start(&mes, settings, price_list, background);
        messaging::start(core, &settings.messaging, mes.clone(), background)?;
        Ok(routes::routes(mes))
    }
}
