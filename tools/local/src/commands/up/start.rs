//! The start of the parts, each as soon as the parts that it needs are ready.

use anyhow::Result;
use catalogue::Service;
use tokio::sync::OnceCell;

use crate::commands::up::{flags::UpFlags, ports::Ports};
use crate::host::{folders::Folders, ports::Reserved, supervisor::Supervisor};
use crate::parts::{
    certificates::Certificates, elasticsearch, java, kind::Kind, needs, needs::Need, postgres::Postgres, rabbitmq,
    services, services::ServiceProgram, shipper,
};
use crate::system::accounts::Accounts;
use crate::system::system_file::{AccountList, Databases, SystemFile};
use crate::terminal::progress::Progress;

/// The databases' owners with their passwords. The databases can be reached from this machine only.
const SHOP_OWNER: (&str, &str) = ("shop", "shop-local-only");
const MES_OWNER: (&str, &str) = ("mes", "mes-local-only");

/// Everything that the start of the parts needs.
pub(super) struct Startup<'system> {
    pub(super) flags: &'system UpFlags,
    pub(super) kinds: &'system [Kind],
    pub(super) folders: &'system Folders,
    pub(super) accounts: Accounts,
    /// What the servers show, if they are to speak TLS.
    pub(super) certificates: Option<Certificates>,
    pub(super) progress: &'system Progress,
    pub(super) supervisor: &'system Supervisor,
    /// Set when all needed packages are installed.
    pub(super) packages: OnceCell<()>,
    /// Set when the services are built.
    pub(super) built: OnceCell<()>,
}

/// The running services and the keys for them.
struct Services {
    programs: [ServiceProgram; 3],
    carrier_key: String,
    partner_key: String,
}

impl Startup<'_> {
    /// Starts all parts and returns the description of the running system.
    pub(super) async fn start(&self) -> Result<SystemFile> {
        let ports = Ports::reserve(&self.flags.ports, self.kinds, self.progress)?;
        let stores_and_services = async {
            let (postgres, amqp_port, ()) =
                tokio::try_join!(self.postgres(ports.postgres), self.rabbitmq(ports.rabbitmq), self.build())?;
            let databases = postgres.as_ref().map(databases);
            let services = match (&databases, amqp_port, ports.services) {
                (Some(databases), Some(amqp_port), Some(ports)) => {
                    Some(self.services(databases, amqp_port, ports).await?)
                }
                _ => None,
            };
            anyhow::Ok((postgres, databases, amqp_port, services))
        };
        let logs = async {
            let port = self.elasticsearch(ports.elasticsearch).await?;
            if let Some(port) = port {
                self.shipper(port).await?;
            }
            let support_web = match (port, ports.support_web) {
                (Some(elasticsearch), Some(ports)) => Some(self.support_web(elasticsearch, ports).await?),
                _ => None,
            };
            anyhow::Ok((port, support_web))
        };
        let ((postgres, databases, amqp_port, services), (elasticsearch_port, support_web)) =
            tokio::try_join!(stores_and_services, logs)?;
        let mut file = SystemFile {
            logs: self.folders.logs(),
            pid_files: self.supervisor.pid_files(),
            amqp: amqp_port.map(|port| rabbitmq::url(port, "alexandrite", self.certificates.is_some())),
            databases,
            postgres_admin: postgres.map(|postgres| postgres.superuser_url("postgres")),
            elasticsearch: elasticsearch_port.map(|port| elasticsearch::address(port, self.certificates.as_ref())),
            ca_file: self.certificates.as_ref().map(|certificates| certificates.ca_file.clone()),
            shipper_errors: self.runs(Kind::Shipper).then(|| shipper::errors(self.folders)),
            model_store: Some(services::model_store(self.folders)),
            model_store_folder: Some(self.folders.models()),
            ..SystemFile::default()
        };
        let accounts = &self.accounts;
        if file.elasticsearch.is_some() {
            file.accounts = AccountList {
                support: Some(accounts.support.clone()),
                auditor: Some(accounts.auditor.clone()),
                employee_without_role: Some(accounts.employee_without_role.clone()),
                administrator: Some(accounts.administrator.clone()),
                elastalert: Some(accounts.elastalert.clone()),
                ..AccountList::default()
            };
        }
        if let Some(Services { programs, carrier_key, partner_key }) = services {
            let [shop, crm, mes] = programs.each_ref().map(|program| Some(program.address.clone()));
            (file.shop_api, file.crm_api, file.mes_api) = (shop, crm, mes);
            file.carrier_key = Some(carrier_key);
            file.partner_key = Some(partner_key);
            file.accounts.seller = Some(accounts.seller.clone());
            file.accounts.operator = Some(accounts.operator.clone());
            file.accounts.second_operator = Some(accounts.second_operator.clone());
            for program in programs {
                add(&mut file, program);
            }
        }
        if let Some(program) = support_web {
            file.support_web = Some(program.address.clone());
            add(&mut file, program);
        }
        Ok(file)
    }

    fn runs(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Installs what is missing, once for all parts.
    async fn packages(&self) -> Result<()> {
        let needs = Need::of(self.kinds, self.folders);
        self.packages.get_or_try_init(|| needs::ensure(&needs, self.progress)).await.copied()
    }

    async fn postgres(&self, port: Option<[Reserved; 1]>) -> Result<Option<Postgres>> {
        let Some([port]) = port else { return Ok(None) };
        self.packages().await?;
        let line = self.progress.line("postgres");
        let password = &self.accounts.postgres.password;
        let (throw_away, certificates) = (self.flags.throw_away, self.certificates.clone());
        let postgres = Postgres::new(self.folders, port.number(), password, throw_away, certificates, &line).await?;
        line.now("creating the cluster");
        postgres.set_up().await?;
        line.now("starting");
        let number = port.release();
        self.supervisor.start(postgres.part()).await?;
        line.now("creating the databases");
        for (name, password) in [SHOP_OWNER, MES_OWNER] {
            postgres.create_user(name, password).await?;
            postgres.create_database(name, name).await?;
        }
        line.done(format!("on port {number}"));
        Ok(Some(postgres))
    }

    /// Returns the broker's port.
    async fn rabbitmq(&self, ports: Option<[Reserved; 3]>) -> Result<Option<u16>> {
        let Some([amqp, distribution, port_mapper]) = ports else { return Ok(None) };
        self.packages().await?;
        let line = self.progress.line("rabbitmq");
        line.now("starting");
        let numbers = rabbitmq::Ports {
            amqp: amqp.number(),
            distribution: distribution.number(),
            port_mapper: port_mapper.number(),
        };
        let [port_mapper_part, broker] = rabbitmq::set_up(self.folders, numbers, self.certificates.as_ref())?;
        port_mapper.release();
        self.supervisor.start(port_mapper_part).await?;
        distribution.release();
        amqp.release();
        self.supervisor.start(broker).await?;
        line.done(format!("on port {}", numbers.amqp));
        Ok(Some(numbers.amqp))
    }

    /// Returns the port of Elasticsearch's REST interface.
    async fn elasticsearch(&self, ports: Option<[Reserved; 2]>) -> Result<Option<u16>> {
        let Some(ports) = ports else { return Ok(None) };
        self.packages().await?;
        let line = self.progress.line("elasticsearch");
        let java_home = java::home(&self.folders.user)?;
        let distribution = elasticsearch::distribution().provide(&self.folders.shared, &line).await?;
        line.now("starting");
        let numbers = ports.each_ref().map(Reserved::number);
        let (accounts, certificates) = (&self.accounts, self.certificates.as_ref());
        let throw_away = self.flags.throw_away;
        let part =
            elasticsearch::set_up(self.folders, &distribution, java_home, numbers, accounts, certificates, throw_away)
                .await?;
        drop(ports);
        self.supervisor.start(part).await?;
        line.now("loading the templates");
        let client = elasticsearch::client(numbers[0], &self.accounts, certificates)?;
        elasticsearch::load_templates(&client).await?;
        elasticsearch::record_accounts(&client, &self.accounts).await?;
        line.done(format!("on port {}", numbers[0]));
        Ok(Some(numbers[0]))
    }

    async fn shipper(&self, elasticsearch_port: u16) -> Result<()> {
        if !self.runs(Kind::Shipper) {
            return Ok(());
        }
        let line = self.progress.line("shipper");
        line.now("starting");
        let part = shipper::set_up(self.folders, elasticsearch_port, &self.accounts.shipper).await?;
        self.supervisor.start(part).await?;
        line.done("follows the services' logs");
        Ok(())
    }

    async fn build(&self) -> Result<()> {
        if !self.runs(Kind::Services) {
            return Ok(());
        }
        self.built().await
    }

    /// Builds the services and Support's page, once for all of them.
    async fn built(&self) -> Result<()> {
        let build = async || {
            let line = self.progress.line("build");
            line.now("cargo build");
            services::build(self.folders, self.flags.features.as_deref(), &line).await?;
            line.done("services built");
            Ok(())
        };
        self.built.get_or_try_init(build).await.copied()
    }

    /// Support's page. It asks the Elasticsearch at this port.
    async fn support_web(&self, elasticsearch_port: u16, ports: [Reserved; 2]) -> Result<ServiceProgram> {
        self.built().await?;
        let address = elasticsearch::address(elasticsearch_port, self.certificates.as_ref());
        let settings = [("ELASTICSEARCH_URL", address), ("CA_FILE", self.ca_file())];
        let numbers = ports.each_ref().map(Reserved::number);
        let program = ServiceProgram::new(self.folders, Service::SupportWeb, numbers, &settings, &self.flags.set);
        self.service(&program, ports).await?;
        Ok(program)
    }

    async fn services(&self, databases: &Databases, amqp_port: u16, ports: [Reserved; 6]) -> Result<Services> {
        let [shop_port, crm_port, mes_port, shop_metrics, crm_metrics, mes_metrics] = ports;
        let (shop_ports, crm_ports, mes_ports) =
            ([shop_port, shop_metrics], [crm_port, crm_metrics], [mes_port, mes_metrics]);
        let program = |service, ports: &[Reserved; 2], database: &str, amqp_user: Option<&str>| {
            let models = services::model_store(self.folders);
            let mut settings = vec![("DATABASE_URL", database.to_owned()), ("MODEL_STORE_URL", models)];
            settings.push(("CA_FILE", self.ca_file()));
            let has_tls = self.certificates.is_some();
            settings.extend(amqp_user.map(|user| ("AMQP_URL", rabbitmq::url(amqp_port, user, has_tls))));
            let numbers = ports.each_ref().map(Reserved::number);
            ServiceProgram::new(self.folders, service, numbers, &settings, &self.flags.set)
        };
        let shop = program(Service::ShopApi, &shop_ports, &databases.shop, None);
        let crm = program(Service::CrmApi, &crm_ports, &databases.shop, Some("crm"));
        let mes = program(Service::MesApi, &mes_ports, &databases.mes, Some("mes"));

        let line = self.progress.line("accounts");
        line.now("bringing the tables up to date");
        tokio::try_join!(crm.migrate(), mes.migrate())?;
        line.now("making accounts");
        let mut accounts = self.accounts.clone();
        crm.add_account("seller", &accounts.seller).await?;
        mes.add_account("operator", &accounts.operator).await?;
        mes.add_account("operator", &accounts.second_operator).await?;
        let carrier_key = crm.add_key("carrier", &mut accounts).await?;
        let partner_key = mes.add_key("partner", &mut accounts).await?;
        line.done("a seller, two operators, a partner, the carrier");

        tokio::try_join!(
            self.service(&shop, shop_ports),
            self.service(&crm, crm_ports),
            self.service(&mes, mes_ports)
        )?;
        Ok(Services { programs: [shop, crm, mes], carrier_key, partner_key })
    }

    /// The services' setting; empty without certificates.
    fn ca_file(&self) -> String {
        self.certificates.as_ref().map(|certificates| certificates.ca_file.display().to_string()).unwrap_or_default()
    }

    async fn service(&self, program: &ServiceProgram, ports: [Reserved; 2]) -> Result<()> {
        let line = self.progress.line(program.service.name());
        line.now("starting");
        let [number, _] = ports.map(Reserved::release);
        self.supervisor.start(program.part()).await?;
        line.done(format!("on port {number}"));
        Ok(())
    }
}

/// Notes how a program runs, for further replicas.
fn add(file: &mut SystemFile, program: ServiceProgram) {
    let name = program.service.name();
    file.environments.insert(name.to_owned(), program.environment_of_replicas());
    file.metrics.insert(name.replace('-', "_"), program.metrics);
    file.binaries.insert(name.to_owned(), program.program);
}

/// The databases' addresses for their owners.
fn databases(postgres: &Postgres) -> Databases {
    Databases {
        shop: postgres.service_url(SHOP_OWNER.0, SHOP_OWNER.1, "shop"),
        mes: postgres.service_url(MES_OWNER.0, MES_OWNER.1, "mes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::up::ports::PortFlags;

    #[test]
    fn the_services_defaults_are_the_servers_on_their_default_ports() {
        let documentation = include_str!("../../../../../docs/settings.md");
        let port = |flag| {
            let choice = PortFlags::default().choices().into_iter().find(|(_, choice)| choice.flag == flag);
            choice.expect("a port").1.default
        };
        let database =
            |(user, password)| format!("postgres://{user}:{password}@127.0.0.1:{}/{user}", port("--postgres-port"));
        let broker = |user| rabbitmq::url(port("--amqp-port"), user, false);
        let logs = elasticsearch::address(port("--elasticsearch-port"), None);
        for address in [database(SHOP_OWNER), database(MES_OWNER), broker("crm"), broker("mes"), logs] {
            assert!(documentation.contains(&format!("`{address}`")), "{address} is not in docs/settings.md");
        }
    }
}
