//! The status histories in the databases.

use anyhow::Result;
use catalogue::Service;
use futures::{Stream, StreamExt as _};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::scope::Scope;

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// The database of shop and CRM.
    Shop,
    /// The database of the MES.
    Mes,
}

impl Database {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Mes => "mes",
        }
    }

    /// The services that write to it, and the records of its changes.
    pub(crate) const fn services(self) -> &'static [Service] {
        match self {
            Self::Shop => &[Service::ShopApi, Service::CrmApi],
            Self::Mes => &[Service::MesApi],
        }
    }
}

/// A change of an order's status: a row of `order_history`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) order: String,
    pub(crate) status: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) service: String,
    pub(crate) event_id: Option<Uuid>,
}

/// Not a checked query: the runner is built before the descriptions of the checked queries exist.
const HISTORY: &str = "
    SELECT order_id, status, at, service, event_id FROM order_history
    WHERE ($1::text[] IS NULL OR order_id = ANY ($1)) AND ($2::uuid IS NULL OR event_id >= $2 OR at >= $3)
    ORDER BY order_id COLLATE \"C\", at, status";

/// The rows of the orders in `scope`, sorted by order in Elasticsearch's collation, by bytes.
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
