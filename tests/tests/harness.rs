//! The harness of the contract tests, with the smallest service there is.

use catalogue::Service;
use std::time::Duration;

use common::{
    authorities::Authorities,
    background::Background,
    database::{Database, Timeouts},
    domain::Role,
    failure::Failure,
    service::{Definition, Standing},
    state::Core,
};
use sqlx::{
    Connection as _, PgConnection, SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};
use testkit::{eventually, records::records_of, service};
use utoipa_axum::router::OpenApiRouter;

struct Smallest;

#[derive(Clone, Debug, clap::Args)]
struct NoSettings {}

impl Definition for Smallest {
    const SERVICE: Service = Service::ShopApi;
    const ABOUT: &'static str = "Nothing but what every service has";
    const LISTEN_ADDR: &'static str = "127.0.0.1:0";
    const METRICS_ADDR: &'static str = "";
    const DATABASE_URL: &'static str = "postgres://nobody@127.0.0.1:1/nothing";
    const ROLES: &'static [Role] = &[];
    type Settings = NoSettings;

    fn migrations() -> Migrator {
        Migrator::DEFAULT
    }

    async fn standing(_: &mut PgConnection) -> Result<Standing, Failure> {
        Ok(Standing::default())
    }

    fn start(_: &Core, _: &NoSettings, _: &mut Background) -> anyhow::Result<OpenApiRouter> {
        Ok(OpenApiRouter::new())
    }
}

#[tokio::test]
async fn a_service_answers_people_and_machines_and_its_records_can_be_read() {
    let service = service::start::<Smallest>(&[]).await;
    let seller = service.seller().await;
    assert_eq!(service.anonymous().get("/health/ready").await.expect(200)["status"], "ok");
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
    let (one, other) = (service::start::<Smallest>(&[]).await, service::start::<Smallest>(&[]).await);
    let (_, login) = one.account(Role::Seller).await;
    let credentials = serde_json::json!({"login": login, "password": service::PASSWORD});
    other.anonymous().post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");

    let url = one.database_url().to_owned();
    drop(one);
    eventually("the database to go", async || match PgConnection::connect(&url).await {
        Err(error) if error.to_string().contains("does not exist") => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("it is there".to_owned()),
    })
    .await;
}

#[tokio::test]
async fn a_migration_may_take_longer_than_a_request_and_an_older_version_runs_beside_the_newer_tables() {
    let service = service::start::<Smallest>(&[]).await;
    let moment = Duration::from_millis(100);
    let timeouts = Timeouts { connection: Duration::from_secs(30), statement: moment, lock: moment };
    let (url, none) = (service.database_url().into(), Authorities::default());
    let database = Database::open(&url, &none, 1, timeouts, "test").expect("a database's URL");
    let mut connection = database.connection().await.expect("a connection");
    let long = "SELECT pg_sleep(0.3)";
    let refused = sqlx::query(long).execute(&mut *connection).await.expect_err("requests have a limit").to_string();
    assert!(refused.contains("statement timeout"), "{refused}");

    let slow = Migration::new(1, "slow".into(), MigrationType::Simple, SqlStr::from_static(long), false);
    database.migrate(Migrator::with_migrations(vec![slow])).await.expect("no limit for migrations");
    database.migrate(Migrator::DEFAULT).await.expect("what is newer doesn't matter");
}
