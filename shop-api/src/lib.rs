//! What customers use: register, log in, order, upload the 3D model, submit, and see where the order is.
//!
//! It knows nothing of RabbitMQ or the MES: a submitted order waits in the shop's database until the CRM sends it on.

mod routes;

use catalogue::Service;
use std::sync::Arc;

use axum::extract::FromRef;
use common::{
    Core,
    auth::Role,
    service::{Background, Definition},
};
use shop_orders::commands::{self, Creations};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

/// The shop.
pub struct ShopApi;

/// What the shop's handlers can use.
#[derive(Clone)]
struct App {
    core: Core,
    creations: Arc<Creations>,
}

impl FromRef<App> for Core {
    fn from_ref(app: &App) -> Self {
        app.core.clone()
    }
}

/// The shop has no settings of its own.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {}

impl Definition for ShopApi {
    const SERVICE: Service = Service::ShopApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8081";
    const DATABASE_URL: &'static str = "postgres://shop:shop@127.0.0.1:5432/shop";
    // Customers register themselves.
    const ROLES: &'static [Role] = &[];
    type Settings = Settings;

    fn migrations() -> Migrator {
        shop_orders::migrations()
    }

    fn start(core: &Core, _: &Settings, _: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let creations = Arc::new(commands::creations(core));
        Ok(routes::all().with_state(App { core: core.clone(), creations }))
    }
}
