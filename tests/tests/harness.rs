//! The harness of the contract tests, with the smallest service there is.

use common::{
    Core,
    auth::Role,
    domain::System,
    service::{Background, Service},
};
use e2e::{
    contract::{self, records_of},
    eventually,
};
use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use utoipa_axum::router::OpenApiRouter;

struct Smallest;

static NO_TABLES: Migrator = Migrator::DEFAULT;

#[derive(Clone, Debug, clap::Args)]
struct NoSettings {}

impl Service for Smallest {
    const SYSTEM: System = System::ShopApi;
    const ABOUT: &'static str = "Nothing but what every service has";
    const LISTEN_ADDR: &'static str = "127.0.0.1:0";
    const DATABASE_URL: &'static str = "postgres://nobody@127.0.0.1:1/nothing";
    const ROLES: &'static [Role] = &[];
    type Settings = NoSettings;

    fn migrations() -> &'static Migrator {
        &NO_TABLES
    }

    fn start(_: &Core, _: &NoSettings, _: &mut Background) -> anyhow::Result<OpenApiRouter> {
        Ok(OpenApiRouter::new())
    }
}

#[tokio::test]
async fn a_service_answers_people_and_machines_and_its_records_can_be_read() {
    let service = contract::start::<Smallest>(&[]).await;
    let seller = service.seller().await;
    assert_eq!(service.anybody().get("/health/ready").await.expect(200)["status"], "ok");
    seller.delete("/sessions/current").await.expect(204);
    seller.delete("/sessions/current").await.expect_problem(401, "unauthenticated");

    let lost = service.partner().await.get("/nowhere").await;
    let records = records_of(&lost);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["http.response.status_code"], 404);
    lost.expect_problem(404, "unknown_path");
}

#[tokio::test]
async fn every_service_has_its_own_database_and_it_goes_with_the_service() {
    let (one, other) = (contract::start::<Smallest>(&[]).await, contract::start::<Smallest>(&[]).await);
    let (_, login) = one.account(Role::Seller).await;
    let credentials = serde_json::json!({"login": login, "password": contract::PASSWORD});
    other.anybody().post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");

    let url = one.database_url().to_owned();
    drop(one);
    eventually("the database to go", async || match PgConnection::connect(&url).await {
        Err(error) if error.to_string().contains("does not exist") => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("it is there".to_owned()),
    })
    .await;
}
