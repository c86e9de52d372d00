//! Statements for a PostgreSQL, each over a connection of its own.

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Runs statements, separated by semicolons, as one transaction. They contain only what this program made.
pub(crate) async fn execute(url: &str, statements: String) -> Result<()> {
    let mut connection = connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Runs a query with one parameter that returns one Boolean value.
pub(crate) async fn ask(url: &str, query: &'static str, parameter: &str) -> Result<bool> {
    let mut connection = connect(url).await?;
    let answer = sqlx::query_scalar(query).bind(parameter).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

async fn connect(url: &str) -> Result<PgConnection> {
    PgConnection::connect(url).await.context("connecting to PostgreSQL")
}
