//! Starts the system, keeps it running until it is asked to stop, and stops it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use tokio::sync::OnceCell;

use crate::cli::{PortFlags, UpFlags};
use crate::commands::up::summary;
use crate::host::folders::Folders;
use crate::host::lock::Lock;
use crate::host::os_user::Owner;
use crate::host::ports::Reserved;
use crate::host::process;
use crate::host::stop::StopRequests;
use crate::host::supervisor::{self, Supervisor};
use crate::parts::elasticsearch::Elasticsearch;
use crate::parts::kind::{Kind, Site};
use crate::parts::needs::{self, Need};
use crate::parts::postgres::Postgres;
use crate::parts::rabbitmq::Rabbitmq;
use crate::parts::services::{Name, Service};
use crate::parts::shipper::{self, Shipper};
use crate::parts::{elasticsearch as elastic, rabbitmq, services};
use crate::system::accounts::Accounts;
use crate::system::system_file::{self, AccountList, Databases, SystemFile};
use crate::terminal::progress::Progress;

/// A file of this name in a data folder keeps it from being thrown away.
pub(crate) const KEEP: &str = "keep";

/// Passwords of the databases' owners: the databases are reached from this machine only.
const SHOP_OWNER: (&str, &str) = ("shop", "shop-local-only");
const MES_OWNER: (&str, &str) = ("mes", "mes-local-only");

/// Runs the system with its data in `data` until it is asked to stop.
pub(crate) async fn up(data: &Path, flags: &UpFlags, requests: &mut StopRequests) -> Result<()> {
    let began = Instant::now();
    let progress = Progress::new();
    let _lock = Lock::take(data)?;
    let data = data.canonicalize()?;
    let owner = Owner::choose().await?;
    supervisor::end_leftovers(&Folders::run_of(&data, &owner), &progress).await?;
    if flags.fresh {
        Folders::clear(&data, &owner)?;
    }
    let folders = Folders::create(&data, &owner)?;
    if folders.moved() {
        let (parts, name) = (folders.parts.display(), &owner.name);
        progress
            .say(format!("  the parts run as the user {name}, who can't get to the data folder: theirs is {parts}"));
    }
    let site = Site { folders, owner };
    let (supervisor, mut failures) = Supervisor::new(site.owner.clone(), progress.clone(), site.folders.run());
    let system = System {
        kinds: Kind::with_needs(&flags.only),
        accounts: Accounts::load(&data)?,
        throw_away: flags.throw_away,
        service_settings: flags.set.clone(),
        packages: OnceCell::new(),
        site,
        progress: progress.clone(),
        supervisor,
    };
    let outcome = tokio::select! {
        started = system.start(&flags.ports) => match started {
            Ok(file) => {
                file.write(&data)?;
                progress.close();
                summary::ready(&file, &system.site, &system.kinds, began.elapsed());
                tokio::select! {
                    name = requests.next() => { progress.say(format!("{name}: stopping")); Ok(()) }
                    Some(error) = failures.recv() => Err(error),
                    () = shipper::report_refusals(&system.site.folders, &progress) => Ok(()),
                }
            }
            Err(error) => Err(error),
        },
        name = requests.next() => Err(anyhow!("stopped by {name} before everything was ready")),
    };
    let removed = fs::remove_file(data.join(system_file::FILE));
    if outcome.is_err() {
        progress.close();
    }
    tokio::select! {
        () = system.supervisor.stop() => {}
        name = requests.next() => progress.say(format!("{name} again: killing what still runs")),
    }
    process::kill_descendants();
    if outcome.is_ok() {
        removed.context("removing system.json")?;
        if flags.throw_away && !data.join(KEEP).exists() {
            Folders::clear(&data, &system.site.owner)?;
            fs::remove_dir_all(&data).context("removing the data folder")?;
        }
        progress.say("stopped");
    }
    outcome
}

/// Everything that the start of the parts needs.
struct System {
    kinds: Vec<Kind>,
    accounts: Accounts,
    throw_away: bool,
    service_settings: Vec<(String, String)>,
    packages: OnceCell<()>,
    site: Site,
    progress: Progress,
    supervisor: Supervisor,
}

impl System {
    /// Starts all parts, each as soon as what it needs is there.
    async fn start(&self, ports: &PortFlags) -> Result<SystemFile> {
        let ports = Ports::reserve(ports, &self.kinds, &self.progress)?;
        let stores_and_services = async {
            let (postgres, rabbitmq, ()) = tokio::try_join!(
                self.postgres(ports.postgres),
                self.rabbitmq(ports.amqp, ports.amqp_distribution, ports.epmd),
                self.build(),
            )?;
            let services = match (&postgres, &rabbitmq) {
                (Some(postgres), Some(rabbitmq)) if self.runs(Kind::Services) => {
                    Some(self.services(postgres, rabbitmq, [ports.shop, ports.crm, ports.mes]).await?)
                }
                _ => None,
            };
            anyhow::Ok((postgres, rabbitmq, services))
        };
        let logs = async {
            let elasticsearch = self.elasticsearch(ports.elasticsearch, ports.elasticsearch_transport).await?;
            if let Some((_, port)) = &elasticsearch {
                self.shipper(*port).await?;
            }
            anyhow::Ok(elasticsearch)
        };
        let ((postgres, rabbitmq, services), elasticsearch) = tokio::try_join!(stores_and_services, logs)?;
        Ok(self.file(postgres, rabbitmq, elasticsearch.map(|(part, _)| part), services))
    }

    fn runs(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Installs what is missing: once, whoever asks first.
    async fn packages(&self) -> Result<()> {
        let install = async {
            let needs = Need::of(&self.kinds, &self.site.folders);
            if needs.iter().all(|need| need.found().is_some()) {
                return Ok(());
            }
            let line = self.progress.line("packages");
            needs::ensure(&needs, &line).await?;
            line.done("installed");
            Ok(())
        };
        self.packages.get_or_try_init(|| install).await.copied()
    }

    async fn postgres(&self, port: Option<Reserved>) -> Result<Option<Postgres>> {
        let Some(port) = port else { return Ok(None) };
        self.packages().await?;
        let line = self.progress.line("postgres");
        line.now("creating the cluster");
        let number = port.number();
        let folders = &self.site.folders;
        let postgres = Postgres::new(folders, number, &self.accounts.postgres.password, self.throw_away)?;
        postgres.set_up(&self.site.owner).await?;
        line.now("starting");
        port.release();
        self.supervisor.start(postgres.part()).await?;
        line.now("creating the databases");
        for (name, password) in [SHOP_OWNER, MES_OWNER] {
            postgres.create_user(name, password).await?;
            postgres.create_database(name, name).await?;
        }
        line.done(format!("on port {number}"));
        Ok(Some(postgres))
    }

    async fn rabbitmq(
        &self,
        amqp: Option<Reserved>,
        distribution: Option<Reserved>,
        port_mapper: Option<Reserved>,
    ) -> Result<Option<Rabbitmq>> {
        let (Some(amqp), Some(distribution), Some(port_mapper)) = (amqp, distribution, port_mapper) else {
            return Ok(None);
        };
        self.packages().await?;
        let line = self.progress.line("rabbitmq");
        line.now("starting");
        let numbers = rabbitmq::Ports {
            amqp: amqp.number(),
            distribution: distribution.number(),
            port_mapper: port_mapper.number(),
        };
        let rabbitmq = Rabbitmq::new(&self.site, numbers)?;
        rabbitmq.set_up(&self.site)?;
        port_mapper.release();
        self.supervisor.start(rabbitmq.port_mapper()).await?;
        distribution.release();
        amqp.release();
        self.supervisor.start(rabbitmq.part()).await?;
        line.done(format!("on port {}", numbers.amqp));
        Ok(Some(rabbitmq))
    }

    async fn elasticsearch(
        &self,
        http: Option<Reserved>,
        transport: Option<Reserved>,
    ) -> Result<Option<(Elasticsearch, u16)>> {
        let (Some(http), Some(transport)) = (http, transport) else { return Ok(None) };
        self.packages().await?;
        let line = self.progress.line("elasticsearch");
        let java = elastic::java(&self.site)?;
        let distribution = elastic::distribution(&self.site.folders, Some(&java.home), &line).await?;
        line.now("starting");
        let numbers = (http.number(), transport.number());
        let administrator = &self.accounts.administrator;
        let elasticsearch = Elasticsearch::new(&self.site, distribution, java, numbers, administrator);
        elasticsearch.set_up(&self.site, &self.accounts).await?;
        http.release();
        transport.release();
        self.supervisor.start(elasticsearch.part()).await?;
        line.now("loading the templates");
        elasticsearch.load_templates().await?;
        line.done(format!("on port {}", numbers.0));
        Ok(Some((elasticsearch, numbers.0)))
    }

    async fn shipper(&self, elasticsearch_port: u16) -> Result<()> {
        if !self.runs(Kind::Shipper) {
            return Ok(());
        }
        let line = self.progress.line("shipper");
        line.now("starting");
        let shipper = Shipper::new(&self.site, elasticsearch_port, &self.accounts.shipper)?;
        shipper.set_up(&self.site).await?;
        self.supervisor.start(shipper.part()).await?;
        line.done("follows the services' logs");
        Ok(())
    }

    async fn build(&self) -> Result<()> {
        if !self.runs(Kind::Services) {
            return Ok(());
        }
        let line = self.progress.line("build");
        line.now("cargo build");
        services::build(&self.site, &line).await?;
        line.done("services built");
        Ok(())
    }

    async fn services(
        &self,
        postgres: &Postgres,
        rabbitmq: &Rabbitmq,
        ports: [Option<Reserved>; 3],
    ) -> Result<Services> {
        let [Some(shop_port), Some(crm_port), Some(mes_port)] = ports else {
            return Err(anyhow!("a service has no port"));
        };
        let shop_database = || ("DATABASE_URL", postgres.url(SHOP_OWNER.0, SHOP_OWNER.1, "shop"));
        let mes_database = ("DATABASE_URL", postgres.url(MES_OWNER.0, MES_OWNER.1, "mes"));
        let amqp = |user| ("AMQP_URL", rabbitmq.url(user));
        let site = &self.site;
        let service = |name, port: &Reserved, settings: &[_]| {
            Service::new(site, name, port.number(), settings, &self.service_settings)
        };
        let shop = service(Name::Shop, &shop_port, &[shop_database()]);
        let crm = service(Name::Crm, &crm_port, &[shop_database(), amqp("crm")]);
        let mes = service(Name::Mes, &mes_port, &[mes_database, amqp("mes")]);

        let line = self.progress.line("accounts");
        line.now("bringing the tables up to date");
        tokio::try_join!(crm.migrate(site), mes.migrate(site))?;
        line.now("making accounts");
        let mut accounts = self.accounts.clone();
        crm.add_account(site, "seller", &accounts.seller).await?;
        mes.add_account(site, "operator", &accounts.operator).await?;
        mes.add_account(site, "operator", &accounts.second_operator).await?;
        let carrier_key = crm.add_key(site, "carrier", &mut accounts).await?;
        let partner_key = mes.add_key(site, "partner", &mut accounts).await?;
        line.done("a seller, two operators, a partner, the carrier");

        tokio::try_join!(self.service(&shop, shop_port), self.service(&crm, crm_port), self.service(&mes, mes_port),)?;
        Ok(Services { shop, crm, mes, carrier_key, partner_key })
    }

    async fn service(&self, service: &Service, port: Reserved) -> Result<()> {
        let part = service.part();
        let line = self.progress.line(part.name);
        line.now("starting");
        let number = port.release();
        self.supervisor.start(part).await?;
        line.done(format!("on port {number}"));
        Ok(())
    }

    fn file(
        &self,
        postgres: Option<Postgres>,
        rabbitmq: Option<Rabbitmq>,
        elasticsearch: Option<Elasticsearch>,
        services: Option<Services>,
    ) -> SystemFile {
        let (site, accounts) = (&self.site, &self.accounts);
        let run = site.folders.run();
        let pid_file = |name: &str| (name.to_owned(), supervisor::pid_file(&run, name));
        let mut file = SystemFile {
            logs: site.folders.logs(),
            pid_files: self.supervisor.names().into_iter().map(pid_file).collect(),
            amqp: rabbitmq.map(|rabbitmq| rabbitmq.url("alexandrite")),
            model_store: Some(services::model_store(site)),
            model_store_folder: Some(site.folders.models()),
            ..SystemFile::default()
        };
        if let Some(postgres) = postgres {
            file.postgres_admin = Some(postgres.superuser_url("postgres"));
            file.databases = Some(Databases {
                shop: postgres.url(SHOP_OWNER.0, SHOP_OWNER.1, "shop"),
                mes: postgres.url(MES_OWNER.0, MES_OWNER.1, "mes"),
            });
        }
        if let Some(elasticsearch) = elasticsearch {
            file.elasticsearch = Some(elasticsearch.address());
            file.shipper_errors = self.runs(Kind::Shipper).then(|| shipper::errors(&site.folders));
            file.accounts = AccountList {
                support: Some(accounts.support.clone()),
                employee_without_role: Some(accounts.employee_without_role.clone()),
                administrator: Some(accounts.administrator.clone()),
                elastalert: Some(accounts.elastalert.clone()),
                ..file.accounts
            };
        }
        if let Some(Services { shop, crm, mes, carrier_key, partner_key }) = services {
            file.shop_api = Some(shop.address());
            file.crm_api = Some(crm.address());
            file.mes_api = Some(mes.address());
            file.carrier_key = Some(carrier_key);
            file.partner_key = Some(partner_key);
            file.accounts.seller = Some(accounts.seller.clone());
            file.accounts.operator = Some(accounts.operator.clone());
            file.accounts.second_operator = Some(accounts.second_operator.clone());
            let all = [(Name::Shop, shop), (Name::Crm, crm), (Name::Mes, mes)];
            for (name, service) in all {
                file.environments.insert(name.text().to_owned(), service.environment().clone());
                file.binaries.insert(name.text().to_owned(), service.program().to_owned());
            }
        }
        file
    }
}

/// The running services and the keys for them.
struct Services {
    shop: Service,
    crm: Service,
    mes: Service,
    carrier_key: String,
    partner_key: String,
}

/// A port for each listener of the parts that run.
struct Ports {
    shop: Option<Reserved>,
    crm: Option<Reserved>,
    mes: Option<Reserved>,
    postgres: Option<Reserved>,
    amqp: Option<Reserved>,
    amqp_distribution: Option<Reserved>,
    epmd: Option<Reserved>,
    elasticsearch: Option<Reserved>,
    elasticsearch_transport: Option<Reserved>,
}

impl Ports {
    /// All at once and before anything is started, so that a port that is taken costs no time.
    fn reserve(flags: &PortFlags, kinds: &[Kind], progress: &Progress) -> Result<Self> {
        let mut reserved: BTreeMap<&str, Reserved> = BTreeMap::new();
        for (kind, choice) in flags.choices() {
            if kinds.contains(&kind) {
                reserved.insert(choice.flag, choice.reserve(|text| progress.say(text))?);
            }
        }
        Ok(Self {
            shop: reserved.remove("--shop-port"),
            crm: reserved.remove("--crm-port"),
            mes: reserved.remove("--mes-port"),
            postgres: reserved.remove("--postgres-port"),
            amqp: reserved.remove("--amqp-port"),
            amqp_distribution: reserved.remove("--amqp-distribution-port"),
            epmd: reserved.remove("--epmd-port"),
            elasticsearch: reserved.remove("--elasticsearch-port"),
            elasticsearch_transport: reserved.remove("--elasticsearch-transport-port"),
        })
    }
}
