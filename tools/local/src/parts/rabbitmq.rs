//! RabbitMQ from Debian's packages, with an Erlang port mapper of its own, both reachable from this machine only.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::host::supervisor::{Part, Stage};
use crate::parts::kind::{Site, connect, program};

/// This part's name.
pub(crate) const NAME: &str = "rabbitmq";
const PORT_MAPPER: &str = "epmd";

/// Users, permissions and policies: the same for containers.
const DEFINITIONS: &str = include_str!("../../../../deploy/rabbitmq/definitions.json");

/// The node's name is a part of its data's. The host's name isn't, so that the data survives a new one.
const NODE: &str = "alexandrite@localhost";

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Rabbitmq {
    server: PathBuf,
    port_mapper: PathBuf,
    folder: PathBuf,
    logs: PathBuf,
    ports: Ports,
}

/// Where the broker listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) amqp: u16,
    /// Between Erlang nodes: unused, but always open.
    pub(crate) distribution: u16,
    pub(crate) port_mapper: u16,
}

impl Rabbitmq {
    pub(crate) fn new(site: &Site, ports: Ports) -> Result<Self> {
        Ok(Self {
            server: installed().context("RabbitMQ is not installed")?.0,
            port_mapper: program(PORT_MAPPER).context("Erlang's port mapper is not installed")?,
            folder: site.folders.of(NAME),
            logs: site.folders.logs(),
            ports,
        })
    }

    /// Writes the configuration.
    pub(crate) fn set_up(&self, site: &Site) -> Result<()> {
        for folder in [&self.folder, &self.folder.join("data"), &self.folder.join("logs")] {
            site.owner.folder(folder)?;
        }
        let definitions = self.folder.join("definitions.json");
        let configuration = format!(
            "listeners.tcp.local = 127.0.0.1:{}\n\
             load_definitions = {}\n\
             log.file = false\n\
             log.console = true\n\
             vm_memory_high_watermark.absolute = 512MB\n\
             disk_free_limit.absolute = 50MB\n\
             raft.wal_max_size_bytes = 33554432\n",
            self.ports.amqp,
            definitions.display(),
        );
        site.owner.file(&definitions, DEFINITIONS)?;
        site.owner.file(&self.folder.join("rabbitmq.conf"), configuration)?;
        site.owner.file(&self.folder.join("enabled_plugins"), "[].\n")?;
        site.owner.file(&self.folder.join("environment"), "")
    }

    /// How to run the port mapper, which has to run before the broker.
    pub(crate) fn port_mapper(&self) -> Part {
        let port = self.ports.port_mapper;
        let output = self.logs.join(format!("{PORT_MAPPER}.txt"));
        Part {
            name: PORT_MAPPER,
            stage: Stage::Foundation,
            program: self.port_mapper.clone(),
            arguments: vec!["-port".into(), port.to_string().into(), "-address".into(), "127.0.0.1".into()],
            environment: BTreeMap::new(),
            folder: self.folder.clone(),
            output: output.clone(),
            errors: output,
            ready: Arc::new(move || async move { connect(port).await.map(drop) }.boxed()),
            ready_within: Duration::from_secs(10),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(5),
        }
    }

    /// How to run the broker.
    pub(crate) fn part(&self) -> Part {
        let port = self.ports.amqp;
        let output = self.logs.join(format!("{NAME}.txt"));
        Part {
            name: NAME,
            stage: Stage::Store,
            program: self.server.clone(),
            arguments: Vec::new(),
            environment: self.environment(),
            folder: self.folder.clone(),
            output: output.clone(),
            errors: output,
            ready: Arc::new(move || speaks_amqp(port).boxed()),
            ready_within: Duration::from_secs(120),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(30),
        }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        let variables = [
            ("HOME", path("")),
            ("RABBITMQ_NODENAME", NODE.to_owned()),
            ("RABBITMQ_CONF_ENV_FILE", path("environment")),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", path("data")),
            ("RABBITMQ_LOG_BASE", path("logs")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_DIST_PORT", self.ports.distribution.to_string()),
            ("ERL_EPMD_PORT", self.ports.port_mapper.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            // Makes the start script become the broker instead of its parent: what is signalled is what runs.
            ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The address for a user of the definitions, whose passwords are public: they are for this machine only.
    pub(crate) fn url(&self, user: &str) -> String {
        format!("amqp://{user}:{user}-local-only@127.0.0.1:{}/%2f", self.ports.amqp)
    }
}

/// Whether a broker greets on this port: it does so once it has booted and loaded the definitions.
async fn speaks_amqp(port: u16) -> Result<()> {
    const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
    const METHOD_FRAME: u8 = 1;
    let mut stream = connect(port).await?;
    stream.write_all(HEADER).await?;
    let greeting = stream.read_u8().await.context("the broker closed the connection")?;
    ensure!(greeting == METHOD_FRAME, "what listens on port {port} is no AMQP broker");
    Ok(())
}

/// The start script and the version of the newest RabbitMQ on this machine.
///
/// The script itself and not Debian's wrapper around it, which insists on the user `rabbitmq`.
pub(crate) fn installed() -> Option<(PathBuf, String)> {
    let items = fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten().flatten();
    let versions = items.filter_map(|item| {
        let version = item.file_name().to_str()?.strip_prefix("rabbitmq_server-")?.to_owned();
        let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
        Some((numbers, item.path().join("sbin/rabbitmq-server"), version))
    });
    let (_, script, version) = versions.filter(|(_, script, _)| script.is_file()).max()?;
    program("erl").map(|_| (script, version))
}
