//! A dependency is away: the client is told so, and the log says why.

use common::{domain::Role, service::Definition};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};

use crate::{
    Response, eventually,
    orders::set_status,
    records::{assert_no_error, only_error},
    service::{RunningService, start},
};

/// As long as this lasts, the database accepts no connection.
pub struct Outage {
    administrator: String,
    database: String,
}

impl Outage {
    /// Begins an outage.
    ///
    /// # Panics
    ///
    /// If the server can't be reached.
    pub async fn begin(service: &RunningService) -> Self {
        let (server, database) = service.database_url().rsplit_once('/').expect("a database's name");
        let outage = Self { administrator: format!("{server}/postgres"), database: database.to_owned() };
        outage.allow_connections(false).await;
        outage
    }

    /// Ends the outage.
    pub async fn end(self) {
        self.allow_connections(true).await;
    }

    /// Returns when no client is connected: a connection that began before the setting was committed is still let in.
    async fn allow_connections(&self, allowed: bool) {
        let mut connection = PgConnection::connect(&self.administrator).await.expect("the server");
        let setting = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allowed}", self.database);
        sqlx::raw_sql(AssertSqlSafe(setting)).execute(&mut connection).await.expect("a setting");
        if allowed {
            return;
        }
        let mut connected = true;
        while connected {
            let closed = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = $1";
            let closed = sqlx::query_scalar::<_, i64>(closed).bind(&self.database).fetch_one(&mut connection).await;
            connected = closed.expect("the connections") > 0;
        }
    }
}

/// As long as this is held, every statement about orders waits.
pub struct HeldOrders(Transaction<'static, Postgres>);

impl HeldOrders {
    /// Holds the orders of a service.
    ///
    /// # Panics
    ///
    /// If they can't be locked.
    pub async fn of(service: &RunningService) -> Self {
        let mut transaction = service.tables().begin().await.expect("a transaction");
        let lock = sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE");
        lock.execute(&mut *transaction).await.expect("a lock");
        Self(transaction)
    }

    /// Returns when at least so many statements wait.
    ///
    /// # Panics
    ///
    /// If that doesn't happen in time.
    pub async fn keep_waiting(&mut self, statements: i64) {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass";
        eventually("statements to wait for the orders", async || {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *self.0).await.expect("the locks");
            if waiting >= statements { Ok(()) } else { Err(waiting) }
        })
        .await;
    }

    /// Lets all of them go on.
    ///
    /// # Panics
    ///
    /// If the database is away.
    pub async fn release(self) {
        self.0.rollback().await.expect("the lock is released");
    }
}

/// From now on every insert into or update of `table` loses its connection.
///
/// # Panics
///
/// If that can't be set up.
pub async fn lose_the_connection_at(service: &RunningService, table: &str) {
    let statements = format!(
        "CREATE FUNCTION lose_the_connection() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NEW; END $$;
         CREATE TRIGGER lose_the_connection BEFORE INSERT OR UPDATE ON {table}
             FOR EACH ROW EXECUTE FUNCTION lose_the_connection()"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(service.tables()).await.expect("a trigger");
}

/// Removes what [`lose_the_connection_at`] has added.
///
/// # Panics
///
/// If that fails.
pub async fn repair(service: &RunningService) {
    sqlx::raw_sql("DROP FUNCTION lose_the_connection CASCADE").execute(service.tables()).await.expect("no trigger");
}

/// Asserts a `503` that says when to try again, and nothing of what is inside.
///
/// # Panics
///
/// If it is another response.
#[track_caller]
pub fn expect_unavailable(response: &Response) {
    assert!(response.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    let problem = response.clone().expect_problem(503, "unavailable").to_string().to_lowercase();
    for inside in ["postgres", "sql", "database", "connection", "orders", "select", "insert", "store"] {
        assert!(!problem.contains(inside), "{inside} in {problem}");
    }
}

/// A login that can't be checked is one error.
pub async fn a_login_that_can_not_be_checked_is_one_error<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let outage = Outage::begin(&service).await;
    let response = service.anonymous().post_json("/sessions", json!({"login": "ada", "password": "a password"})).await;
    expect_unavailable(&response);
    assert_eq!(only_error(&response)["event.action"], "auth.login_failed");
    outage.end().await;
}

/// Without the database every request is one error under the action that it was for.
pub async fn without_the_database_every_request_is_one_error_under_its_action<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let outage = Outage::begin(&service).await;
    let id = "A-100000";
    for (response, action, order) in [
        (set_status(&client, id, "SUBMITTED").await, "order.status_changed", Some(id)),
        (client.get(&format!("/orders/{id}")).await, "http.request", Some(id)),
        (client.get("/orders").await, "http.request", None),
        (client.delete("/sessions/current").await, "auth.logged_out", None),
    ] {
        expect_unavailable(&response);
        let error = only_error(&response);
        assert_eq!(error["event.action"], action);
        assert_eq!(error["error.type"], "database_unavailable", "{error:?}");
        assert_eq!(error.get("order.id").and_then(Value::as_str), order);
    }
    outage.end().await;
    eventually("the service to work again", async || {
        let response = client.get("/orders").await;
        if response.status == 200 { Ok(()) } else { Err(response.status) }
    })
    .await;
}

/// A client's mistake is no error.
pub async fn a_clients_mistake_is_no_error<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let client = service.logged_in(role).await;
    let other = if role == Role::Seller { Role::Customer } else { Role::Seller };
    for response in [
        client.get("/orders/A-999999").await,
        client.get("/orders?limit=0").await,
        client.get("/orders?status=LOST").await,
        client.get("/nowhere").await,
        client.put("/orders").await,
        set_status(&client, "A-999999", "SUBMITTED").await,
        set_status(&client, "A-999999", "LOST").await,
        service.anonymous().get("/orders").await,
        service.logged_in(other).await.get("/orders").await,
    ] {
        assert_no_error(&response);
    }
}
