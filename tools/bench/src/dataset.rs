//! Databases with the orders of a year, and services that run on them.
//!
//! For any number of orders, the shares of the statuses and of the stuck orders are the same, and so are the distances
//! between the newest and between the longest-waiting orders of a status. So the same page of a list takes the same
//! work, except for the work that the number of orders causes.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use catalogue::Service;
use local::Login;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::Client;

use crate::{instance::Instance, load::Target, testbed::Testbed};

/// A list that users often reload.
#[derive(Clone, Copy)]
pub(crate) struct List {
    pub(crate) what: &'static str,
    service: Service,
    pub(crate) path: &'static str,
}

/// An operator's list of orders to make, and a seller's list of stuck orders.
pub(crate) const LISTS: [List; 2] = [
    List { what: "MES, a status", service: Service::MesApi, path: "/orders?status=MANUFACTURING_APPROVED" },
    List { what: "CRM, stuck", service: Service::CrmApi, path: "/orders?stuck=true" },
];

/// Connections that read a list at the same time. There are no more than cores, so that a request isn't queued.
pub(crate) const CONNECTIONS: usize = 2;

/// A list in a database of its own, served by an instance of its service.
pub(crate) struct Dataset {
    url: String,
    name: String,
    administrator: String,
    instance: Instance,
    /// The list's first page.
    pub(crate) target: Target,
}

impl Dataset {
    /// Creates a database with this many orders, and starts the list's service on it.
    pub(crate) async fn start(testbed: &Testbed, list: List, orders: u64) -> Result<Self> {
        let administrator = testbed.file().postgres_admin.clone().context("PostgreSQL doesn't run")?;
        let name = format!("{}_{orders}", list.service.name().replace('-', "_"));
        let (server, _) = administrator.rsplit_once('/').context("an address without a path")?;
        let url = format!("{server}/{name}");
        administer(&administrator, &format!("CREATE DATABASE {name}")).await?;
        let reader = add_reader(testbed, list.service, &url)?;
        fill(&url, list.service, orders).await?;
        let instance = start_on(testbed, list.service, &url).await?;
        let target = first_page(&instance, list, reader).await?;
        Ok(Self { url, name, administrator, instance, target })
    }

    /// Starts a further service on the same database.
    pub(crate) async fn start_further(&self, testbed: &Testbed, service: Service) -> Result<Instance> {
        start_on(testbed, service, &self.url).await
    }

    /// Stops the service and removes the database.
    pub(crate) async fn remove(self) -> Result<()> {
        self.instance.stop().await?;
        // The service may have left a statement behind, such as a count of all that there is.
        administer(&self.administrator, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

async fn administer(administrator: &str, statement: &str) -> Result<()> {
    let mut server = PgConnection::connect(administrator).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await.with_context(|| statement.to_owned())?;
    Ok(())
}

/// Adds an account that reads the lists; the service's program creates the tables first.
fn add_reader<'a>(testbed: &'a Testbed, service: Service, url: &str) -> Result<&'a Login> {
    let accounts = &testbed.file().accounts;
    let (role, account) = match service {
        Service::MesApi => ("operator", &accounts.operator),
        Service::ShopApi | Service::CrmApi => ("seller", &accounts.seller),
        Service::SupportWeb => bail!("Support's page has no lists of orders"),
    };
    let account = account.as_ref().context("the services don't run")?;
    let (program, environment) = testbed.program(service)?;
    let mut command = Command::new(program);
    command.env_clear().envs(environment).env("DATABASE_URL", url);
    command.args(["account", "add", "--role", role, "--login", &account.login]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(account.password.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "adding an account failed: {status}");
    Ok(account)
}

async fn fill(url: &str, service: Service, orders: u64) -> Result<()> {
    let mut database = PgConnection::connect(url).await?;
    // The data needs no durability and no checks of its references.
    let quickly = "SET synchronous_commit = off; SET session_replication_role = replica";
    sqlx::raw_sql(quickly).execute(&mut database).await?;
    let script = if service == Service::MesApi { MES_ORDERS } else { SHOP_ORDERS };
    let script = script.replace("{orders}", &orders.to_string()) + HISTORY;
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut database).await.context("filling a database")?;
    // The first reader would do this work otherwise.
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&mut database).await?;
    }
    Ok(database.close().await?)
}

async fn start_on(testbed: &Testbed, service: Service, url: &str) -> Result<Instance> {
    // Stuck orders are marked as reported, so their check would only be other load.
    Instance::start(testbed, service, &[("DATABASE_URL", url), ("STUCK_CHECK_SECONDS", "86400")]).await
}

/// The request for a list's first page, which must be full.
async fn first_page(instance: &Instance, List { path, .. }: List, reader: &Login) -> Result<Target> {
    let client = Client::new(&format!("http://{}", instance.address)).log_in(&reader.login, &reader.password).await;
    let page = client.get(path).await.expect(200);
    ensure!(page["next"].is_string(), "{path} has no second page");
    Ok(Target::get(instance.address, path, client.token()))
}

/// The shop's orders, ten for each customer. Of 16 consecutive orders seven are closed, and one is in each other status.
/// Every fourth open order is stuck and was reported.
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

/// The MES's orders. The MES gets orders when they are submitted, so of 16 two more are closed.
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

/// The history of each order up to its status.
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
