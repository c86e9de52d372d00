//! RabbitMQ from Debian's packages, with an Erlang port mapper of its own. Both can be reached from this machine only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::supervisor::{Part, Stage, environment};
use crate::host::{folders::Folders, package_root::PackageRoot};
use crate::parts::certificates::Certificates;

const NAME: &str = "rabbitmq";
const PORT_MAPPER: &str = "epmd";

/// Users, permissions and policies: the same for containers, which have other passwords.
const DEFINITIONS: &str = include_str!("../../../../deploy/rabbitmq/definitions.json");

/// The users of the definitions.
const USERS: [&str; 3] = ["alexandrite", "crm", "mes"];

/// The node's name is a part of its data's. The host's name isn't, so that the data survives a new one.
const NODE: &str = "alexandrite@localhost";

/// The broker's ports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) amqp: u16,
    /// Between Erlang nodes: unused, but always open.
    pub(crate) distribution: u16,
    pub(crate) port_mapper: u16,
}

/// Writes the configuration, by which the broker speaks nothing but TLS if it has a certificate, and returns how to run the
/// port mapper and the broker, in this order.
pub(crate) fn set_up(folders: &Folders, ports: Ports, certificates: Option<&Certificates>) -> Result<[Part; 2]> {
    let (folder, user) = (folders.of(NAME), &folders.user);
    for folder in [&folder, &folder.join("data"), &folder.join("logs")] {
        folders.create_folder(folder)?;
    }
    let definitions = folder.join("definitions.json");
    let configuration = format!(
        "{}\
         load_definitions = {}\n\
         log.file = false\n\
         log.console = true\n\
         vm_memory_high_watermark.absolute = 512MB\n\
         disk_free_limit.absolute = 50MB\n\
         raft.wal_max_size_bytes = 33554432\n",
        listeners(folders, &folder, ports.amqp, certificates)?,
        definitions.display(),
    );
    user.write_file(&definitions, with_passwords(DEFINITIONS))?;
    user.write_file(&folder.join("rabbitmq.conf"), configuration)?;
    user.write_file(&folder.join("enabled_plugins"), "[].\n")?;
    user.write_file(&folder.join("environment"), "")?;
    let installed = installed().context("RabbitMQ is not installed")?;
    Ok([port_mapper(folders, &installed.root, ports)?, broker(folders, installed, ports, certificates.is_some())?])
}

/// The definitions with the passwords of this machine, as `deploy/rabbitmq/start.sh` makes them with others.
fn with_passwords(definitions: &str) -> String {
    let with_password = |text: String, user: &str| {
        let placeholder = format!("${{{}_AMQP_PASSWORD}}", user.to_uppercase());
        text.replace(&placeholder, &password(user))
    };
    USERS.into_iter().fold(definitions.to_owned(), with_password)
}

/// A user's password. It is public: it is for this machine only.
fn password(user: &str) -> String {
    format!("{user}-local-only")
}

fn listeners(folders: &Folders, folder: &Path, port: u16, certificates: Option<&Certificates>) -> Result<String> {
    let Some(certificates) = certificates else { return Ok(format!("listeners.tcp.local = 127.0.0.1:{port}\n")) };
    let [certificate, key] = certificates.put_into(folders, folder)?;
    Ok(format!(
        "listeners.tcp = none\n\
         listeners.ssl.local = 127.0.0.1:{port}\n\
         ssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\n",
        certificate.display(),
        key.display(),
    ))
}

fn port_mapper(folders: &Folders, root: &PackageRoot, Ports { port_mapper: port, .. }: Ports) -> Result<Part> {
    let program = root.program(PORT_MAPPER).context("Erlang's port mapper is not installed")?;
    Ok(Part {
        environment: root.environment()?,
        arguments: vec!["-port".into(), port.to_string().into(), "-address".into(), "127.0.0.1".into()],
        folder: folders.of(NAME),
        ready_within: Duration::from_secs(10),
        stop_within: Duration::from_secs(5),
        ..Part::new(
            (PORT_MAPPER, Stage::Foundation),
            program,
            folders,
            move || async move { connect(port).await.map(drop) },
        )
    })
}

fn broker(folders: &Folders, installed: Installation, ports: Ports, has_tls: bool) -> Result<Part> {
    let path = |name: &str| folders.of(NAME).join(name).to_string_lossy().into_owned();
    let mut environment = environment([
        ("HOME", path("")),
        ("RABBITMQ_NODENAME", NODE.to_owned()),
        ("RABBITMQ_CONF_ENV_FILE", path("environment")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", path("data")),
        ("RABBITMQ_LOG_BASE", path("logs")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_DIST_PORT", ports.distribution.to_string()),
        ("ERL_EPMD_PORT", ports.port_mapper.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        // Makes the start script become the broker instead of its parent, so that the broker gets the signals.
        ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
    ]);
    environment.extend(installed.root.environment()?);
    Ok(Part {
        environment,
        ready_within: Duration::from_secs(120),
        ..Part::new((NAME, Stage::Store), installed.script, folders, move || is_ready(ports.amqp, has_tls))
    })
}

/// The address for a user of the definitions.
pub(crate) fn url(port: u16, user: &str, has_tls: bool) -> String {
    let scheme = if has_tls { "amqps" } else { "amqp" };
    format!("{scheme}://{user}:{}@127.0.0.1:{port}/%2f", password(user))
}

async fn connect(port: u16) -> Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", port)).await.with_context(|| format!("nothing listens on port {port}"))
}

/// Checks that the broker is ready. One that speaks TLS is once it listens: it opens its ports last.
async fn is_ready(port: u16, has_tls: bool) -> Result<()> {
    if has_tls { connect(port).await.map(drop) } else { speaks_amqp(port).await }
}

/// Checks that a broker greets on this port, as it does after it has started and loaded the definitions.
async fn speaks_amqp(port: u16) -> Result<()> {
    const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
    const METHOD_FRAME: u8 = 1;
    let mut stream = connect(port).await?;
    stream.write_all(HEADER).await?;
    let greeting = stream.read_u8().await.context("the broker closed the connection")?;
    ensure!(greeting == METHOD_FRAME, "what listens on port {port} is no AMQP broker");
    Ok(())
}

/// A RabbitMQ of this machine.
#[derive(Debug)]
pub(crate) struct Installation {
    root: PackageRoot,
    /// The start script. Not Debian's wrapper around it, which insists on the user `rabbitmq`.
    pub(crate) script: PathBuf,
    pub(crate) version: String,
}

/// The newest RabbitMQ that is installed or, if none is, unpacked.
pub(crate) fn installed() -> Option<Installation> {
    PackageRoot::all().find_map(|root| {
        let items = fs::read_dir(root.path("usr/lib/rabbitmq/lib")).into_iter().flatten().flatten();
        let versions = items.filter_map(|item| {
            let version = item.file_name().to_str()?.strip_prefix("rabbitmq_server-")?.to_owned();
            let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
            Some((numbers, item.path().join("sbin/rabbitmq-server"), version))
        });
        let (_, script, version) = versions.filter(|(_, script, _)| script.is_file()).max()?;
        root.program("erl")?;
        Some(Installation { root, script, version })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_of_the_definitions_has_a_password() {
        let definitions = with_passwords(DEFINITIONS);
        let definitions: serde_json::Value = serde_json::from_str(&definitions).expect("JSON");
        let users = definitions["users"].as_array().expect("users");
        let passwords = users.iter().map(|user| (user["name"].as_str(), user["password"].as_str().map(str::to_owned)));
        let expected = USERS.map(|user| (Some(user), Some(password(user))));
        assert_eq!(passwords.collect::<Vec<_>>(), expected);
    }
}
