//! What sellers use: they order for customers, approve what goes to production, and close what is delivered.
//!
//! It sends submitted and approved orders to the MES, takes over what comes back, and watches for orders that stand
//! still.

mod deadlines;
mod messages;
mod routes;
mod settings;
mod stuck;

use catalogue::Service;
use std::sync::Arc;

use axum::extract::FromRef;
use common::{
    Core,
    auth::Role,
    messaging::{self, MessagingSettings},
    service::{Background, Definition},
};
use shop_orders::commands::{self, Creations};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

pub use messages::Inbound;
pub use settings::Settings;

use deadlines::Deadlines;

/// The CRM.
pub struct CrmApi;

/// What the CRM's handlers can use.
#[derive(Clone)]
struct App {
    core: Core,
    creations: Arc<Creations>,
    deadlines: Arc<Deadlines>,
}

impl FromRef<App> for Core {
    fn from_ref(app: &App) -> Self {
        app.core.clone()
    }
}

impl Definition for CrmApi {
    const SERVICE: Service = Service::CrmApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8082";
    const DATABASE_URL: &'static str = "postgres://shop:shop@127.0.0.1:5432/shop";
    const AMQP_URL: &'static str = "amqp://crm:crm-local-only@127.0.0.1:5672/%2f";
    const ROLES: &'static [Role] = &[Role::Seller, Role::Carrier];
    type Settings = Settings;

    fn migrations() -> Migrator {
        shop_orders::migrations()
    }

    fn messaging(settings: &Settings) -> Option<&MessagingSettings> {
        Some(&settings.messaging)
    }

    fn start(core: &Core, settings: &Settings, background: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let deadlines = Arc::new(settings.deadlines()?);
        messaging::start(core, &settings.messaging, Inbound, background)?;
        let watch = stuck::Watch {
            database: core.database.clone(),
            journal: core.journal.clone(),
            deadlines: Arc::clone(&deadlines),
            period: settings.stuck_check_period(),
            stopping: background.stopping(),
        };
        background.spawn("watch for stuck orders", watch.run());
        Ok(routes::all().with_state(App {
            core: core.clone(),
            creations: Arc::new(commands::creations(core)),
            deadlines,
        }))
    }
}
