//! One service in the test's own process, against a real database: what a service's contract tests are written with.
//!
//! ```no_run
//! # use serde_json::json;
//! # async fn example<ShopApi: common::service::Definition>() {
//! let shop = testkit::service::start::<ShopApi>(&[]).await;
//! let ada = shop.customer().await;
//! let order = ada.post_json("/orders", json!({"material": "silver_925", "quantity": 1})).await.expect(201);
//! ada.get("/orders/A-999999").await.expect_problem(404, "order_not_found");
//! # }
//! ```
//!
//! PostgreSQL is started once for each test binary and stops with it. Every service gets a database and a model folder
//! of its own, both gone when it is dropped. There is no broker: the CRM and the MES are `degraded`, and messages wait in
//! the outbox.

use std::{
    collections::btree_map::{BTreeMap, Entry},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use catalogue::Service;
use common::{
    auth::{Hasher, accounts},
    database::Database,
    domain::Role,
    journal::Journal,
    service::{Application, Definition, Settings},
    unit_of_work::Units,
};
use local::Kind;
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{Client, TestDatabase, records};

/// A password that every account here has.
pub const PASSWORD: &str = "a ring to find them";

/// Enough for a test, and soon opened; unless its flags say how many.
const CONNECTIONS: [&str; 2] = ["--database-connections", "4"];

/// Nothing listens there.
const NO_BROKER: &str = "amqp://nobody:nothing@127.0.0.1:1/%2f";

/// A service that runs until this is dropped.
pub struct RunningService {
    // Dropped in this order: the database is not in use any more when it goes.
    _stop_on_drop: DropGuard,
    anonymous: Client,
    tables: PgPool,
    models: ModelFolder,
    database: TestDatabase,
}

/// Units of work in a service's database, for what is done to accounts. Their records are left to the services that use it.
#[must_use]
pub fn units(tables: &PgPool) -> Units {
    Units::new(Database::from(tables.clone()), Journal::left_to_services(), Arc::default())
}

/// Hashes the passwords of all accounts that tests make behind a service's back. One for all: each begins by hashing a password.
///
/// # Panics
///
/// If the operating system has no randomness.
#[must_use]
pub fn hasher() -> &'static Hasher {
    static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new().expect("randomness"));
    &HASHER
}

/// Starts a service with a new database and an empty model folder. `flags` are its settings beside those:
/// `["--upload-limit-bytes", "1000"]`.
///
/// # Panics
///
/// If it doesn't start.
pub async fn start<S: Definition>(flags: &[&str]) -> RunningService {
    records::capture(S::SERVICE);
    let postgres = tokio::task::spawn_blocking(|| local::System::shared(&[Kind::Postgres])).await;
    let postgres = postgres.expect("PostgreSQL starts");
    let administrator = postgres.file().postgres_admin.as_deref().expect("PostgreSQL runs");
    let database = migrated::<S>(administrator).await;
    let models = ModelFolder(postgres.data().join(format!("models-{}", database.name())));

    let (stop_on_drop, address) = run::<S>(&database, &models, flags).await;
    RunningService {
        _stop_on_drop: stop_on_drop,
        anonymous: Client::new(&address),
        tables: database.pool(),
        models,
        database,
    }
}

/// A new database with the service's tables: a copy of one that this process has migrated, which takes a tenth of the time. The
/// service still looks whether a migration is missing.
async fn migrated<S: Definition>(administrator: &str) -> TestDatabase {
    /// One for each service, though a process tests only one of them as a rule.
    static TEMPLATES: Mutex<BTreeMap<&str, TestDatabase>> = Mutex::const_new(BTreeMap::new());
    let mut templates = TEMPLATES.lock().await;
    let template = match templates.entry(S::SERVICE.name()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => {
            let template = TestDatabase::create(administrator).await;
            let pool = template.pool();
            Database::from(pool.clone()).migrate(S::migrations()).await.expect("tables");
            pool.close().await;
            unknown.insert(template)
        }
    };
    TestDatabase::copy_of(template).await
}

/// Runs a service until the guard is dropped; returns its address.
async fn run<S: Definition>(database: &TestDatabase, models: &ModelFolder, flags: &[&str]) -> (DropGuard, String) {
    let models_url = format!("file://{}", models.0.display());
    let mut all_flags = vec!["--listen-addr", "127.0.0.1:0", "--model-store-url", &models_url];
    if !flags.contains(&"--database-url") {
        all_flags.extend(["--database-url", database.url()]);
    }
    if S::SERVICE != Service::ShopApi {
        all_flags.extend(["--amqp-url", NO_BROKER]);
    }
    if !flags.contains(&CONNECTIONS[0]) {
        all_flags.extend(CONNECTIONS);
    }
    all_flags.extend(flags);
    let settings = Settings::<S>::from_flags(all_flags).expect("the flags are right");
    let application = Application::build(&settings).await.expect("the service starts");
    let address = application.address().expect("it listens");
    let stopping: CancellationToken = application.stopping();
    tokio::spawn(async move {
        // Cut off by the end of the test's runtime at the latest.
        if let Err(error) = application.run_until_stopped().await {
            eprintln!("{}: {error:#}", S::SERVICE);
        }
    });
    (stopping.drop_guard(), format!("http://{address}"))
}

impl RunningService {
    /// One more process's worth of the service, with the same database and models, until the guard is dropped; returns a
    /// client without a token.
    ///
    /// # Panics
    ///
    /// If it doesn't start.
    pub async fn replica<S: Definition>(&self, flags: &[&str]) -> (DropGuard, Client) {
        let (stop_on_drop, address) = run::<S>(&self.database, &self.models, flags).await;
        (stop_on_drop, Client::new(&address))
    }

    /// A client without a token.
    #[must_use]
    pub fn anonymous(&self) -> &Client {
        &self.anonymous
    }

    /// The service's tables.
    #[must_use]
    pub fn tables(&self) -> &PgPool {
        &self.tables
    }

    /// Units of work in the service's database, for what is done to accounts; their records are left to the service.
    #[must_use]
    pub fn units(&self) -> Units {
        units(&self.tables)
    }

    /// The database's address, for a further connection.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// The folder where the service keeps models.
    #[must_use]
    pub fn models(&self) -> &Path {
        &self.models.0
    }

    /// The files in the model folder, however deep.
    #[must_use]
    pub fn stored_models(&self) -> Vec<PathBuf> {
        fn files(folder: &Path) -> Vec<PathBuf> {
            let items = fs::read_dir(folder).into_iter().flatten().flatten().map(|item| item.path());
            items.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
        }
        files(&self.models.0)
    }

    /// A new account with [`PASSWORD`]; returns its number and its login.
    ///
    /// # Panics
    ///
    /// If the account can't be made.
    pub async fn account(&self, role: Role) -> (Uuid, String) {
        let login = format!("{role}-{}", Uuid::now_v7().simple());
        let id = accounts::create(&self.units(), hasher(), &login, PASSWORD.into(), role, None).await;
        (id.expect("a new account").uuid(), login)
    }

    /// A new account, logged in over REST.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub async fn logged_in(&self, role: Role) -> Client {
        let (_, login) = self.account(role).await;
        self.anonymous.log_in(&login, PASSWORD).await
    }

    /// A new account of `role`, with whatever that role proves itself with.
    ///
    /// # Panics
    ///
    /// If the account can't be made.
    pub async fn client(&self, role: Role) -> Client {
        if role.has_keys() { self.with_key(role).await } else { self.logged_in(role).await }
    }

    /// The owner of a new key.
    ///
    /// # Panics
    ///
    /// If the key can't be made.
    pub async fn with_key(&self, role: Role) -> Client {
        let (account, key) =
            accounts::create_key(&self.units(), &format!("{role}-{}", Uuid::now_v7().simple()), role, false)
                .await
                .expect("a new key");
        self.anonymous.holding(key.expose(), Some(account.uuid()))
    }

    /// A customer, registered and logged in over REST; only the shop has that.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub async fn customer(&self) -> Client {
        self.anonymous.register(&format!("customer-{}", Uuid::now_v7().simple()), PASSWORD).await
    }

    /// A customer's account, for a service where customers don't log in.
    ///
    /// # Panics
    ///
    /// If the account can't be made.
    pub async fn customer_account(&self) -> Uuid {
        self.account(Role::Customer).await.0
    }

    /// A seller, logged in.
    pub async fn seller(&self) -> Client {
        self.logged_in(Role::Seller).await
    }

    /// An operator, logged in.
    pub async fn operator(&self) -> Client {
        self.logged_in(Role::Operator).await
    }

    /// The carrier, with a key that was used before.
    pub async fn carrier(&self) -> Client {
        self.with_used_key(Role::Carrier, "/deliveries").await
    }

    /// A partner, with a key that was used before.
    pub async fn partner(&self) -> Client {
        self.with_used_key(Role::Partner, "/partner/orders").await
    }

    /// The owner of a key that was used for this path before: the first use has a record of its own.
    async fn with_used_key(&self, role: Role, path: &str) -> Client {
        let client = self.with_key(role).await;
        client.post_json(path, Value::Null).await;
        client
    }
}

/// A folder that goes when this is dropped.
struct ModelFolder(PathBuf);

impl Drop for ModelFolder {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_dir_all(&self.0);
    }
}
