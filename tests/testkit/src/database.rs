//! A database for one test.

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

/// An empty database that goes soon after this is dropped: also when the test fails.
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
        // PostgreSQL's own template, which is empty.
        Self::copy(administrator, "template1").await
    }

    /// A copy of another one, to which nothing is connected.
    pub(crate) async fn copy_of(template: &Self) -> Self {
        Self::copy(&template.administrator, &template.name).await
    }

    async fn copy(administrator: &str, template: &str) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let server = administrator.rsplit_once('/').map_or(administrator, |(server, _)| server);
        let url = format!("{server}/{name}");
        execute(administrator, format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("a new database");
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
    /// Does not wait: a service that is just connecting may need the test's own thread to get out of the way.
    fn drop(&mut self) {
        let administrator = std::mem::take(&mut self.administrator);
        // By force: what the test started may still be connected.
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sqlx::Error::Io)?;
            // What is still there when the test process ends goes with its server.
            runtime.block_on(execute(&administrator, statement))
        });
    }
}

async fn execute(address: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(address).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}
