//! The sellers' service: they order for customers, approve what goes to production, and close what is delivered.
//!
//! It sends submitted and approved orders to the MES, applies what comes back, and watches for orders that stand still.

mod app;
mod messages;
mod orders;
mod routes;
mod settings;

use std::sync::Arc;

use catalogue::Service;
use common::{
    background::Background,
    domain::Role,
    failure::Failure,
    messaging::{self, MessagingSettings},
    service::{Definition, Standing},
    state::Core,
};
use shop_orders::Creations;
use sqlx::{PgConnection, migrate::Migrator};
use utoipa_axum::router::OpenApiRouter;

pub use messages::Inbound;
pub use settings::Settings;

use app::App;
use orders::watch::Watch;

/// The CRM.
pub struct CrmApi;

impl Definition for CrmApi {
    const SERVICE: Service = Service::CrmApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8082";
    const METRICS_ADDR: &'static str = "127.0.0.1:9182";
    const DATABASE_URL: &'static str = "postgres://shop:shop-local-only@127.0.0.1:5442/shop";
    const AMQP_URL: &'static str = "amqp://crm:crm-local-only@127.0.0.1:5682/%2f";
    const ROLES: &'static [Role] = &[Role::Seller, Role::Carrier];
    const ASSIGNED: &'static [Role] = &[Role::Customer, Role::Seller];
    type Settings = Settings;

    fn migrations() -> Migrator {
        shop_orders::migrations()
    }

    fn messaging(settings: &Settings) -> Option<&MessagingSettings> {
        Some(&settings.messaging)
    }

    async fn standing(connection: &mut PgConnection) -> Result<Standing, Failure> {
        shop_orders::store::standing(connection).await
    }

    fn start(core: &Core, settings: &Settings, background: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let deadlines = Arc::new(settings.deadlines()?);
        messaging::start(core, &settings.messaging, Inbound, background)?;
        let watch = Watch {
            units: core.units.clone(),
            deadlines: Arc::clone(&deadlines),
            period: settings.stuck_check_period(),
            stopping: background.stopping(),
        };
        background.spawn("watch for stuck orders", watch.run());
        let app = App { core: core.clone(), creations: Creations::new(core), deadlines };
        Ok(routes::routes().with_state(app))
    }
}
