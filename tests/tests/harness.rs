//! The harness of the contract tests, with the smallest service there is.

use catalogue::Service;
use std::time::Duration;

use common::{
    authorities::Authorities,
    background::Background,
    database::{Database, Timeouts},
    domain::Role,
    failure::{ErrorType, Failure, FailureContext as _},
    service::{Definition, Standing},
    state::Core,
};
use sqlx::{
    Connection as _, PgConnection, PgPool, SqlStr,
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

#[tokio::test]
async fn a_migration_that_waits_for_a_lock_lets_other_statements_go_on_and_is_applied_once_it_is_free() {
    let service = service::start::<Smallest>(&[]).await;
    let tables = service.tables();
    // As a backup does.
    let mut holder = PgConnection::connect(service.database_url()).await.expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE accounts IN ACCESS SHARE MODE").execute(&mut holder).await.expect("a lock");

    let wider = SqlStr::from_static("ALTER TABLE accounts ADD COLUMN colour text");
    let wider = Migration::new(1, "wider".into(), MigrationType::Simple, wider, false);
    let database = Database::from(tables.clone());
    let others = async {
        waits_for_a_lock(tables, "ALTER TABLE accounts%", Duration::ZERO).await;
        // It queues behind the migration at first.
        let read = sqlx::query("SELECT FROM accounts").execute(tables);
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("it isn't blocked for long").expect("a table");
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.expect("the lock is released");
    };
    let (migrated, ()) = tokio::join!(database.migrate(Migrator::with_migrations(vec![wider])), others);
    migrated.expect("it is repeated");
    sqlx::query("SELECT colour FROM accounts").execute(tables).await.expect("the new column");
}

#[tokio::test]
async fn an_index_that_is_created_concurrently_waits_for_old_transactions_as_long_as_they_take() {
    let service = service::start::<Smallest>(&[]).await;
    let tables = service.tables();
    let mut holder = PgConnection::connect(service.database_url()).await.expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE accounts IN ROW EXCLUSIVE MODE").execute(&mut holder).await.expect("a lock");

    let index = SqlStr::from_static("CREATE INDEX CONCURRENTLY accounts_by_role ON accounts (role)");
    let index = Migration::new(1, "index".into(), MigrationType::Simple, index, true);
    let database = Database::from(tables.clone());
    let release = async {
        // Longer than any other migration waits at a time.
        waits_for_a_lock(tables, "CREATE INDEX CONCURRENTLY%", Duration::from_secs(1)).await;
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.expect("the lock is released");
    };
    let (migrated, ()) = tokio::join!(database.migrate(Migrator::with_migrations(vec![index])), release);
    migrated.expect("it is created");
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'accounts_by_role'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(valid).fetch_one(tables).await.expect("an index"));
}

/// Waits until a statement in this database has waited for a lock for so long.
async fn waits_for_a_lock(tables: &PgPool, statement: &str, time: Duration) {
    eventually("a migration to wait", async || {
        let waiting = sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                            AND query LIKE $1 AND query_start <= clock_timestamp() - $2 * interval '1 second')",
        );
        let waiting = waiting.bind(statement).bind(time.as_secs_f64()).fetch_one(tables).await;
        if waiting.expect("PostgreSQL's activity") { Ok(()) } else { Err("it doesn't") }
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_gets_no_lock_fails_as_a_database_that_is_not_available() {
    let service = service::start::<Smallest>(&[]).await;
    let lock = "SET LOCAL lock_timeout = '100ms'; LOCK TABLE accounts";
    let (mut holder, mut other) =
        (service.tables().begin().await.expect("tables"), service.tables().begin().await.expect("tables"));
    sqlx::raw_sql(lock).execute(&mut *holder).await.expect("the table is free");
    let refused = sqlx::raw_sql(lock).execute(&mut *other).await.failure("locking").expect_err("it is taken");
    assert!(refused.chain().contains("lock timeout"), "{}", refused.chain());
    assert_eq!(refused.error_type, ErrorType::DatabaseUnavailable);
}
