//! The customers' service: register, log in, create an order, upload the 3D model, submit, and see where the order is.
//!
//! It uses neither RabbitMQ nor the MES: a submitted order waits in the shop's database until the CRM sends it on.

mod app;
mod customers;
mod orders;
mod routes;
mod settings;

use catalogue::Service;
use common::{
    background::Background,
    domain::Role,
    failure::Failure,
    service::{Definition, Standing},
    state::Core,
};
use shop_orders::Creations;
use sqlx::{PgConnection, migrate::Migrator};
use utoipa_axum::router::OpenApiRouter;

pub use settings::Settings;

use app::App;

/// The shop.
pub struct ShopApi;

impl Definition for ShopApi {
    const SERVICE: Service = Service::ShopApi;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const LISTEN_ADDR: &'static str = "127.0.0.1:8081";
    const METRICS_ADDR: &'static str = "127.0.0.1:9181";
    const DATABASE_URL: &'static str = "postgres://shop:shop-local-only@127.0.0.1:5442/shop";
    // Customers register themselves.
    const ROLES: &'static [Role] = &[];
    type Settings = Settings;

    fn migrations() -> Migrator {
        shop_orders::migrations()
    }

    async fn standing(connection: &mut PgConnection) -> Result<Standing, Failure> {
        shop_orders::store::standing(connection).await
    }

    fn start(core: &Core, _: &Settings, _: &mut Background) -> anyhow::Result<OpenApiRouter> {
        let app = App { core: core.clone(), creations: Creations::new(core) };
        Ok(routes::routes().with_state(app))
    }
}
