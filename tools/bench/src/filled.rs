//! A database of its own, filled with orders of a year, for a service that runs beside those of the stage.
//!
//! Whatever their number, the same shares of the orders are in each status and stand still there, and the newest and the
//! longest-waiting of each lie equally close to each other. So the same page of a list takes the same work, but for what
//! the others add to it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use testkit::Client;
use local::Login;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{load, service::Service, stage::Stage};

/// Which tables a database has, and whose orders they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    /// Those of shop and CRM.
    Shop,
    /// Those of the MES.
    Mes,
}

/// A list that people reload all day.
pub(crate) struct List {
    pub(crate) what: &'static str,
    pub(crate) tables: Tables,
    pub(crate) path: &'static str,
}

/// An operator's orders to make, and those that a seller has to ask after.
pub(crate) const LISTS: [List; 2] = [
    List { what: "MES, a status", tables: Tables::Mes, path: "/orders?status=MANUFACTURING_APPROVED" },
    List { what: "CRM, stuck", tables: Tables::Shop, path: "/orders?stuck=true" },
];

/// Those who read a list at the same time. No more than there are cores: what counts is how long a page takes, not how long
/// it waits for its turn.
pub(crate) const CONNECTIONS: usize = 2;

/// A database with orders.
pub(crate) struct Filled {
    tables: Tables,
    url: String,
    name: String,
    administrator: String,
}

impl Tables {
    /// The service whose lists are read here.
    pub(crate) const fn service(self) -> &'static str {
        match self {
            Self::Shop => "crm-api",
            Self::Mes => "mes-api",
        }
    }

    const fn orders(self) -> &'static str {
        match self {
            Self::Shop => SHOP_ORDERS,
            Self::Mes => MES_ORDERS,
        }
    }

    /// Who reads the lists, and in which role.
    fn reader(self, stage: &Stage) -> Result<(&'static str, &Login)> {
        let accounts = &stage.file().accounts;
        let (role, login) = match self {
            Self::Shop => ("seller", &accounts.seller),
            Self::Mes => ("operator", &accounts.operator),
        };
        Ok((role, login.as_ref().context("the services run")?))
    }
}

impl Filled {
    /// Makes one with so many orders, and an account for who reads them.
    pub(crate) async fn with(stage: &Stage, tables: Tables, orders: u64) -> Result<Self> {
        let administrator = stage.file().postgres_admin.clone().context("PostgreSQL runs")?;
        let name = format!("{}_{orders}", tables.service().replace('-', "_"));
        let (server, _) = administrator.rsplit_once('/').context("an address with a path")?;
        let filled = Self { tables, url: format!("{server}/{name}"), name, administrator };
        filled.administer("CREATE DATABASE").await?;
        filled.add_reader(stage)?;
        let mut database = PgConnection::connect(&filled.url).await?;
        // Nothing of it has to survive, and what references what is known.
        let quickly = "SET synchronous_commit = off; SET session_replication_role = replica";
        sqlx::raw_sql(quickly).execute(&mut database).await?;
        let script = tables.orders().replace("{orders}", &orders.to_string()) + HISTORY;
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut database).await.context("filling a database")?;
        // As a table is that has been there for long: nothing of this is left to whoever reads first.
        for settle in ["VACUUM ANALYZE", "CHECKPOINT"] {
            sqlx::raw_sql(settle).execute(&mut database).await?;
        }
        database.close().await?;
        Ok(filled)
    }

    /// Starts a service with this database.
    pub(crate) async fn serve(&self, stage: &Stage, service: &str) -> Result<Service> {
        // Nothing else happens meanwhile: who stands still was reported before.
        let settings = [("DATABASE_URL", &*self.url), ("STUCK_CHECK_SECONDS", "86400")];
        Service::start(stage.file(), service, &settings, &stage.folder("logs-apart")?).await
    }

    /// The request for a list's first page, which has to be full.
    pub(crate) async fn first_page(&self, stage: &Stage, service: &Service, list: &List) -> Result<Vec<u8>> {
        let (_, Login { login, password }) = self.tables.reader(stage)?;
        let reader = Client::new(&format!("http://{}", service.address)).log_in(login, password).await;
        let page = reader.get(list.path).await.expect(200);
        ensure!(page["next"].is_string(), "{} has no second page", list.path);
        Ok(load::request("GET", list.path, reader.token(), ""))
    }

    /// Removes it.
    pub(crate) async fn drop(self) -> Result<()> {
        self.administer("DROP DATABASE").await
    }

    async fn administer(&self, what: &str) -> Result<()> {
        let mut server = PgConnection::connect(&self.administrator).await?;
        let statement = AssertSqlSafe(format!("{what} {}", self.name));
        sqlx::raw_sql(statement).execute(&mut server).await.with_context(|| format!("{what} {}", self.name))?;
        Ok(())
    }

    /// Makes the tables, too.
    fn add_reader(&self, stage: &Stage) -> Result<()> {
        let (service, (role, Login { login, password })) = (self.tables.service(), self.tables.reader(stage)?);
        let mut command = Command::new(stage.file().binaries.get(service).context("the services run")?);
        command.env_clear().envs(stage.file().environments.get(service).context("the services run")?);
        command.env("DATABASE_URL", &self.url).args(["account", "add", "--role", role, "--login", login]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().context("standard input")?.write_all(password.as_bytes())?;
        let status = child.wait()?;
        ensure!(status.success(), "an account can't be made: {status}");
        Ok(())
    }
}

/// Ten customers' orders each, as the shop has them. Of 16 orders that come one after the other, seven are closed, and one
/// is in each other status. Every fourth open order has been standing there for most of the time, which was reported.
const SHOP_ORDERS: &str = "
    INSERT INTO accounts (id, login, password_hash, role)
    SELECT md5('customer ' || number)::uuid, 'customer-' || number, '', 'customer'
    FROM generate_series(0, {orders} / 10) AS number;

    INSERT INTO orders (id, status, status_since, submitted_at, customer_id, material, quantity, comment, model_filename,
                        model_format, model_bytes, model_sha256, model_key, price_amount_minor, price_currency,
                        created_at, updated_at, reported_status, overdue_reported_at)
    SELECT 'A-' || nextval('order_number'), status, status_since, submitted_at,
           md5('customer ' || number % ({orders} / 10))::uuid,
           'gold_585', 1 + number % 3, 'For her birthday, please.',
           CASE WHEN has_model THEN 'ring.stl' END, CASE WHEN has_model THEN 'stl' END,
           CASE WHEN has_model THEN 28884 END, CASE WHEN has_model THEN md5(number::text) || md5(number::text) END,
           CASE WHEN has_model THEN 'shop-api/2026-11-23/' || md5(number::text) || '.stl' END,
           CASE WHEN has_price THEN 48950 + number % 1000 END, CASE WHEN has_price THEN 'EUR' END,
           created_at, status_since, CASE WHEN stands THEN status END,
           CASE WHEN status <> 'CLOSED' AND submitted_at < now() - interval '3 weeks' THEN now() END
    FROM generate_series(1, {orders}) AS number
    CROSS JOIN LATERAL (SELECT
        (ARRAY['INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED',
               'MANUFACTURING_STARTED', 'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED', 'CLOSED', 'CLOSED',
               'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'])[1 + number % 16] AS status,
        now() - interval '1 year' * ({orders} - number + 1) / {orders} AS created_at,
        number / 16 % 4 = 0 AND number % 16 < 9 AND number < 0.9 * {orders} AS stands
    ) AS made
    CROSS JOIN LATERAL (SELECT
        CASE WHEN stands OR status = 'CLOSED' THEN created_at + interval '2 hours'
             ELSE greatest(created_at, now() - interval '1 minute') END AS status_since,
        CASE WHEN status NOT IN ('INITIATED', 'FILE_UPLOADED') THEN created_at + interval '1 hour' END AS submitted_at,
        status <> 'INITIATED' AS has_model,
        status NOT IN ('INITIATED', 'FILE_UPLOADED', 'SUBMITTED') AS has_price
    ) AS known;";

/// The same in the MES, which knows no order before it is submitted: two more of 16 are closed.
const MES_ORDERS: &str = "
    INSERT INTO orders (id, status, customer_id, material, quantity, comment, model_filename, model_format, model_bytes,
                        model_sha256, model_key, price_amount_minor, price_currency, price_status, created_at, updated_at)
    SELECT 'A-' || 99999 + number, status, md5('customer ' || number % 1000)::uuid, 'gold_585', 1 + number % 3,
           'For her birthday, please.', 'ring.stl', 'stl', 28884, md5(number::text) || md5(number::text),
           'shop-api/2026-11-23/' || md5(number::text) || '.stl',
           CASE WHEN status <> 'SUBMITTED' THEN 48950 + number % 1000 END,
           CASE WHEN status <> 'SUBMITTED' THEN 'EUR' END,
           CASE WHEN status <> 'SUBMITTED' THEN 'CALCULATED' ELSE 'QUEUED' END, created_at, created_at
    FROM generate_series(1, {orders}) AS number
    CROSS JOIN LATERAL (SELECT
        (ARRAY['CLOSED', 'CLOSED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED', 'MANUFACTURING_STARTED',
               'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED',
               'CLOSED', 'CLOSED'])[1 + number % 16] AS status,
        now() - interval '1 year' * ({orders} - number + 1) / {orders} AS created_at
    ) AS made;";

/// How each order got where it is.
const HISTORY: &str = "
    WITH steps AS (
        SELECT * FROM unnest(ARRAY['INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED',
            'MANUFACTURING_APPROVED', 'MANUFACTURING_STARTED', 'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED'])
        WITH ORDINALITY AS steps (status, place)
    )
    INSERT INTO order_history (order_id, status, at, actor, service, event_id)
    SELECT id, steps.status, created_at + interval '1 minute' * steps.place, 'customer:' || customer_id, 'shop-api',
           gen_random_uuid()
    FROM orders JOIN steps AS last ON last.status = orders.status JOIN steps ON steps.place <= last.place
    ORDER BY created_at, steps.place";
