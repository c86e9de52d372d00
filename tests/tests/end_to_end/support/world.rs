//! Three services of a test's own, to break what they depend on.

use catalogue::Service;
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicI64, Ordering},
};

use common::{auth::accounts, domain::Role};
use local::Login;
use sqlx::PgPool;
use testkit::{TcpProxy, TestDatabase, host_in, service};

use super::{broker::VirtualHost, process::Process, secrets, site::Site, system};

/// Shop, CRM and MES with databases, a virtual host and a model folder of their own. Each reaches its database and the
/// broker by a line that can be cut.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) shop: Process,
    pub(crate) crm: Process,
    pub(crate) mes: Process,
    pub(crate) shop_to_database: TcpProxy,
    pub(crate) crm_to_database: TcpProxy,
    pub(crate) mes_to_database: TcpProxy,
    pub(crate) crm_to_broker: TcpProxy,
    pub(crate) mes_to_broker: TcpProxy,
    pub(crate) broker: VirtualHost,
    pub(crate) models: PathBuf,
    pub(crate) shop_tables: PgPool,
    pub(crate) mes_tables: PgPool,
    /// The logs of processes in whose place others are by now.
    former_logs: Vec<PathBuf>,
    shop_variables: Variables,
    crm_variables: Variables,
    mes_variables: Variables,
    // Dropped last: they are not in use any more.
    databases: [TestDatabase; 2],
}

/// Support's page depends on none of what a world breaks.
const NOT_HERE: &str = "Support's page is in no world";

/// Settings of a service.
pub(crate) type Variables = Vec<(&'static str, String)>;

impl World {
    /// Starts all three; `variables` are for each of them.
    pub(crate) async fn start(variables: &[(&'static str, String)]) -> Self {
        let file = system::file().await;
        let administrator = file.postgres_admin.as_deref().expect("PostgreSQL runs");
        let databases = [TestDatabase::create(administrator).await, TestDatabase::create(administrator).await];
        let [shop_url, mes_url] = databases.each_ref().map(TestDatabase::url);
        let broker = VirtualHost::new().await;
        let models = system::system().await.data().join(format!("models-{}", databases[0].name()));

        let (postgres, rabbitmq) = (host_in(administrator), host_in(&broker.url));
        let (shop_to_database, crm_to_database) = (TcpProxy::to(postgres).await, TcpProxy::to(postgres).await);
        let (mes_to_database, mes_to_broker) = (TcpProxy::to(postgres).await, TcpProxy::to(rabbitmq).await);
        let crm_to_broker = TcpProxy::to(rabbitmq).await;
        let amqp = |service: &str, line: &TcpProxy| {
            ("AMQP_URL", line.instead_in(&broker.instead_in(&file.environments[service]["AMQP_URL"])))
        };
        let with_all = |own: Variables| -> Variables {
            let store = ("MODEL_STORE_URL", format!("file://{}", models.display()));
            own.into_iter().chain([store]).chain(variables.iter().cloned()).collect()
        };
        let shop_variables = with_all(vec![("DATABASE_URL", shop_to_database.instead_in(shop_url))]);
        let crm_variables =
            with_all(vec![("DATABASE_URL", crm_to_database.instead_in(shop_url)), amqp("crm-api", &crm_to_broker)]);
        let mes_variables =
            with_all(vec![("DATABASE_URL", mes_to_database.instead_in(mes_url)), amqp("mes-api", &mes_to_broker)]);
        let (shop, crm, mes) = tokio::join!(
            Process::start(system::file().await, "shop-api", &shop_variables),
            Process::start(system::file().await, "crm-api", &crm_variables),
            Process::start(system::file().await, "mes-api", &mes_variables),
        );
        let (shop_tables, mes_tables) = (databases[0].pool(), databases[1].pool());
        number_orders_apart(&shop_tables, &mes_tables).await;
        let site = site(&shop, &crm, &mes, &shop_tables, &mes_tables).await;
        let world = Self {
            site,
            shop,
            crm,
            mes,
            shop_to_database,
            crm_to_database,
            mes_to_database,
            crm_to_broker,
            mes_to_broker,
            broker,
            models,
            shop_tables,
            mes_tables,
            former_logs: Vec::new(),
            shop_variables,
            crm_variables,
            mes_variables,
            databases,
        };
        world.healthy(Service::CrmApi, "ok").await;
        world.healthy(Service::MesApi, "ok").await;
        world
    }

    /// One more shop with the same database.
    pub(crate) async fn another_shop(&self) -> Process {
        let shop = Process::start(system::file().await, "shop-api", &self.shop_variables).await;
        shop.healthy("ok").await;
        shop
    }

    /// One more CRM with the same database and broker.
    pub(crate) async fn another_crm(&self) -> Process {
        self.another(Service::CrmApi, &[]).await
    }

    /// One more MES with the same database and broker.
    pub(crate) async fn another_mes(&self) -> Process {
        self.another(Service::MesApi, &[]).await
    }

    /// One more of a service with the same database and broker, and further settings.
    pub(crate) async fn another(&self, service: Service, more: &[(&'static str, String)]) -> Process {
        let process =
            Process::start(system::file().await, service.name(), &[self.variables(service), more].concat()).await;
        process.healthy("ok").await;
        process
    }

    fn variables(&self, service: Service) -> &Variables {
        match service {
            Service::ShopApi => &self.shop_variables,
            Service::CrmApi => &self.crm_variables,
            Service::MesApi => &self.mes_variables,
            Service::SupportWeb => panic!("{NOT_HERE}"),
        }
    }

    /// Puts a new process with further settings in the place of the present one, which is killed if it still runs.
    pub(crate) async fn replace(&mut self, service: Service, more: &[(&'static str, String)]) {
        match service {
            Service::ShopApi => self.shop.kill(),
            Service::CrmApi => self.crm.kill(),
            Service::MesApi => self.mes.kill(),
            Service::SupportWeb => panic!("{NOT_HERE}"),
        }
        let new = self.another(service, more).await;
        let (process, client) = match service {
            Service::ShopApi => (&mut self.shop, &mut self.site.shop),
            Service::CrmApi => (&mut self.crm, &mut self.site.crm),
            Service::MesApi => (&mut self.mes, &mut self.site.mes),
            Service::SupportWeb => panic!("{NOT_HERE}"),
        };
        *client = new.client();
        self.former_logs.push(process.log().to_owned());
        *process = new;
    }

    /// One more shop, whose log's disk is full.
    pub(crate) async fn shop_that_can_not_write(&self) -> Process {
        let shop = Process::start_mute(system::file().await, "shop-api", &self.shop_variables).await;
        shop.healthy("ok").await;
        shop
    }

    /// Where its orders and their records are.
    pub(crate) async fn sources(&self) -> reconcile::Sources {
        let file = system::file().await;
        let address = file.elasticsearch.as_deref().expect("Elasticsearch runs");
        let support = file.accounts.support.as_ref().expect("there is a support account");
        reconcile::Sources {
            shop: self.databases[0].url().to_owned(),
            mes: self.databases[1].url().to_owned(),
            log: reconcile::Log::new(address, &support.login, &support.password, "").expect("no authorities"),
        }
    }

    /// Runs a subcommand of a service, with that service's settings.
    pub(crate) async fn run(&self, service: Service, arguments: &[&str]) -> Output {
        self.run_with(service, arguments, "").await
    }

    /// The same, with something on its standard input.
    pub(crate) async fn run_with(&self, service: Service, arguments: &[&str], input: &str) -> Output {
        let file = system::file().await;
        let mut command = Command::new(&file.binaries[service.name()]);
        command.args(arguments).env_clear().envs(&file.environments[service.name()]);
        command.envs(self.variables(service).iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let run = tokio::task::spawn_blocking(move || child.wait_with_output());
        run.await.expect("the program ends").expect("its output")
    }

    /// A further seller or operator.
    pub(crate) async fn employee(&self, role: Role) -> Login {
        let tables = if role == Role::Operator { &self.mes_tables } else { &self.shop_tables };
        employee(tables, role).await
    }

    /// Puts a new CRM in the place of the present one.
    pub(crate) async fn replace_crm(&mut self) {
        self.replace(Service::CrmApi, &[]).await;
    }

    /// Puts a new MES in the place of the present one.
    pub(crate) async fn replace_mes(&mut self) {
        self.replace(Service::MesApi, &[]).await;
    }

    pub(crate) fn service(&self, service: Service) -> &Process {
        match service {
            Service::ShopApi => &self.shop,
            Service::CrmApi => &self.crm,
            Service::MesApi => &self.mes,
            Service::SupportWeb => panic!("{NOT_HERE}"),
        }
    }

    /// Waits until a service says that it is `ok`, `degraded` or `unavailable`.
    pub(crate) async fn healthy(&self, service: Service, status: &str) {
        self.service(service).healthy(status).await;
    }

    /// The logs of all three, and of those in whose place they are.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        let now = [&self.shop, &self.crm, &self.mes].map(|service| service.log().to_owned());
        [&self.former_logs[..], &now].concat()
    }

    /// Asks all three to stop.
    pub(crate) async fn stop(&mut self) {
        for service in [&mut self.shop, &mut self.crm, &mut self.mes] {
            let status = service.stop().await;
            assert!(status.success(), "{status}: {:?}", service.log());
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for service in [&mut self.shop, &mut self.crm, &mut self.mes] {
            service.kill();
        }
        // One of the two, whichever a test has made of it.
        let _ = fs::remove_dir_all(&self.models);
        let _ = fs::remove_file(&self.models);
    }
}

/// The services with an account for everybody who uses them.
async fn site(shop: &Process, crm: &Process, mes: &Process, in_shop: &PgPool, in_mes: &PgPool) -> Site {
    let machine = async |tables: &PgPool, role: Role| {
        let made = accounts::create_key(&service::units(tables), &secrets::new(role.name()), role, false).await;
        secrets::keep(made.expect("a new key").1.expose())
    };
    Site {
        shop: shop.client(),
        crm: crm.client(),
        mes: mes.client(),
        seller: employee(in_shop, Role::Seller).await,
        operator: employee(in_mes, Role::Operator).await,
        second_operator: employee(in_mes, Role::Operator).await,
        carrier_key: machine(in_shop, Role::Carrier).await,
        partner_key: machine(in_mes, Role::Partner).await,
    }
}

async fn employee(tables: &PgPool, role: Role) -> Login {
    let login = Login { login: secrets::new("employee"), password: secrets::new("password") };
    let (units, password) = (service::units(tables), login.password.clone().into());
    let made = accounts::create(&units, service::hasher(), &login.login, password, role, None).await;
    made.expect("a new account");
    login
}

/// Lets both databases number their orders from where no other database of this run does: all logs meet in one
/// Elasticsearch.
async fn number_orders_apart(in_shop: &PgPool, in_mes: &PgPool) {
    static WORLDS: AtomicI64 = AtomicI64::new(1);
    let first = WORLDS.fetch_add(1, Ordering::Relaxed) * 1_000_000;
    for (tables, sequence) in [(in_shop, "order_number"), (in_mes, "partner_order_number")] {
        let set = sqlx::query("SELECT setval($1::text::regclass, $2)").bind(sequence).bind(first);
        set.execute(tables).await.expect("the sequence is there");
    }
}
