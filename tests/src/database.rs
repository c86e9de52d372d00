//! A database for one test.

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

/// An empty database, there until this is dropped: also when the test fails.
#[derive(Debug)]
pub struct TestDatabase {
    administrator: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Creates one on the server that `administrator` opens: a `postgres://…/postgres` URL of who may create databases.
    ///
    /// # Panics
    ///
    /// If the server doesn't.
    pub async fn create(administrator: &str) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let server = administrator.rsplit_once('/').map_or(administrator, |(server, _)| server);
        let url = format!("{server}/{name}");
        execute(administrator, format!("CREATE DATABASE {name}")).await.expect("a new database");
        Self { administrator: administrator.to_owned(), name, url }
    }

    /// Its address, as `DATABASE_URL` takes it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name, unique on its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connections to look at its tables with.
    ///
    /// # Panics
    ///
    /// If the address can't be read.
    #[must_use]
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_lazy(&self.url).expect("the address of a database")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (administrator, name) = (self.administrator.clone(), self.name.clone());
        // A thread with a runtime of its own: the test's may be on its way out, and can't be waited for here.
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sqlx::Error::Io)?;
            // By force: what the test started may still be connected.
            runtime.block_on(execute(&administrator, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("the database {} is left behind: {error}", self.name),
            Err(_) => eprintln!("the database {} is left behind", self.name),
        }
    }
}

async fn execute(address: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(address).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}
