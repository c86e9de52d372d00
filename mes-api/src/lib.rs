//! The service of operators and partners: prices, production, shipping.

mod app;
mod messages;
pub mod orders;
pub mod pricing;
mod routes;
mod settings;

use catalogue::Service;
use common::{
    background::Background,
    domain::Role,
    failure::Failure,
    messaging::{self, MessagingSettings},
    service::{Definition, Standing},
    state::Core,
};
use sqlx::{PgConnection, migrate::Migrator};
use utoipa_axum::router::OpenApiRouter;

pub use messages::Inbound;
pub use settings::Settings;

use app::App;
use orders::PriceQueue;
use pricing::{PriceList, Workers};

/// The MES.
pub struct MesApi;

impl Definition for MesApi {
    const SERVICE: Service = Service::MesApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8083";
    const METRICS_ADDR: &'static str = "127.0.0.1:9183";
    const DATABASE_URL: &'static str = "postgres://mes:mes-local-only@127.0.0.1:5442/mes";
    const AMQP_URL: &'static str = "amqp://mes:mes-local-only@127.0.0.1:5682/%2f";
    const ROLES: &'static [Role] = &[Role::Operator, Role::Partner];
    type Settings = Settings;

    fn migrations() -> Migrator {
        sqlx::migrate!()
    }

    fn messaging(settings: &Settings) -> Option<&MessagingSettings> {
        Some(&settings.messaging)
    }

    async fn standing(connection: &mut PgConnection) -> Result<Standing, Failure> {
        orders::store::standing(connection).await
    }

    fn start(core: &Core, settings: &Settings, background: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let prices = PriceQueue::default();
        messaging::start(core, &settings.messaging, Inbound::new(prices.clone()), background)?;
        let price_list = PriceList::load(settings.prices_file.as_deref())?;
        let workers = Workers::new(core, settings, price_list, prices.clone(), background.stopping());
        background.spawn("price workers", workers.run());
        let app = App { core: core.clone(), prices };
        Ok(routes::routes(core.models.limit()).with_state(app))
    }
}
