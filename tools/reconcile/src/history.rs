//! The status histories as the databases have them.

use anyhow::Result;
use futures::{Stream, StreamExt as _};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::scope::Scope;

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// Shop and CRM write there.
    Shop,
    /// The MES writes there.
    Mes,
}

impl Database {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Mes => "mes",
        }
    }

    /// Whose records tell of its changes.
    pub(crate) fn is_written_by(self, service: &str) -> bool {
        match self {
            Self::Shop => service == "shop-api" || service == "crm-api",
            Self::Mes => service == "mes-api",
        }
    }
}

/// One change of one order's status.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) order: String,
    pub(crate) status: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) service: String,
    pub(crate) event_id: Option<Uuid>,
}

/// Read with no macro: the runner is built before the queries' descriptions are.
const HISTORY: &str = "
    SELECT order_id, status, at, service, event_id FROM order_history
    WHERE ($1::text[] IS NULL OR order_id = ANY ($1)) AND ($2::uuid IS NULL OR event_id >= $2 OR at >= $3)
    ORDER BY order_id COLLATE \"C\", at, status";

/// The history of every order, sorted as Elasticsearch sorts: by bytes.
pub(crate) fn stream<'a>(connection: &'a mut PgConnection, scope: &Scope) -> impl Stream<Item = Result<Row>> + 'a {
    let query = sqlx::query(HISTORY).bind(scope.orders.clone()).bind(scope.first_event()).bind(scope.since);
    query.fetch(connection).map(|row| Ok(read(&row?)?))
}

fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        order: row.try_get(0)?,
        status: row.try_get(1)?,
        at: row.try_get(2)?,
        service: row.try_get(3)?,
        event_id: row.try_get(4)?,
    })
}
