//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::commands::log_flags::LogFlags;
use crate::commands::up::start;
use crate::commands::{backup, demo, doctor, errors, exec, incident, prepare, reconcile, stuck, trail};
use crate::host::folders::workspace;
use crate::host::ports::Choice;
use crate::host::process;
use crate::host::stop::StopRequests;
use crate::parts::kind::Kind;
use crate::terminal::print;

/// The whole system on this machine, without containers: PostgreSQL, RabbitMQ, Elasticsearch, the log shipper and the
/// three services. Without a command, it starts all of them.
#[derive(Debug, Parser)]
#[command(name = "alexandrite", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    up: UpFlags,

    /// Where the system keeps its data, and `system.json` while it runs [default: target/local in the workspace].
    #[arg(long, value_name = "DIR", env = "ALEXANDRITE_DATA", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the system and runs it until Ctrl-C or SIGTERM.
    Up(UpFlags),
    /// Takes an order with a 3D model through all its statuses and shows its trail from Elasticsearch.
    Demo(DemoFlags),
    /// Shows an order's trail from Elasticsearch.
    Trail {
        /// The order's number, such as A-100042.
        order: String,
        #[command(flatten)]
        logs: LogFlags,
    },
    /// Shows which errors the logs have: by class, the most frequent first, with the services and when last.
    Errors(LogFlags),
    /// Shows which orders are stuck or overdue now, as the logs tell: the longest-waiting first.
    Stuck(LogFlags),
    /// Runs a subcommand of a service with the settings that the running system gave it, such as
    /// `exec mes-api dead-letters list`.
    Exec {
        /// shop-api, crm-api or mes-api.
        service: String,
        /// The subcommand with its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<OsString>,
    },
    /// Compares both databases with the logs: every change of an order has exactly one record, and the reverse.
    Reconcile {
        /// Only these orders, such as A-100042; all of them if none is named.
        orders: Vec<String>,
        /// Only changes from this moment on, such as 2026-11-23T00:00:00Z, or so long ago, such as 90m or 24h.
        #[arg(long, value_name = "TIME")]
        since: Option<reconcile::Since>,
    },
    /// Writes both databases and the models into a new folder, while the system runs.
    Backup {
        /// The folder.
        folder: PathBuf,
    },
    /// Puts a backup in the place of what the databases have; only while no service runs (`up --only postgres`).
    Restore {
        /// The backup's folder.
        folder: PathBuf,
    },
    /// Says what the system needs from this machine, what is there, and how to get the rest.
    Doctor,
    /// Renews the committed descriptions of all queries (`.sqlx`), which the build checks the code against.
    Prepare {
        /// Changes nothing, but fails if anything would change.
        #[arg(long)]
        check: bool,
    },
}

/// Something that goes wrong, instead of an order that goes well.
#[derive(Args, Clone, Debug)]
struct DemoFlags {
    /// Makes this happen on the running system; without a name, lists what can happen.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    incident: Option<String>,
    /// How many orders or accounts the incident is about, where it can be several.
    #[arg(long, value_name = "NUMBER", requires = "incident")]
    count: Option<usize>,
    /// How long an incident goes on that has to be ended, unless Ctrl-C ends it.
    #[arg(long, value_name = "SECONDS", requires = "incident", default_value_t = 600)]
    lasting: u64,
}

/// How to start the system.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UpFlags {
    /// Starts over with empty databases, queues and logs.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Starts these parts alone, with what they need.
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,
    /// Sets a variable for all three services.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) ports: PortFlags,
    /// Stops when standard input ends, for a program that starts the system and may die.
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
    /// Doesn't wait for the disk, and removes the data folder in the end: for tests.
    #[arg(long)]
    pub(crate) throw_away: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Where everything listens. A port that is set has to be free; a default one that is taken is replaced; 0 is any.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Ports (0: any free one)")]
pub(crate) struct PortFlags {
    /// Takes any free port for everything that isn't set.
    #[arg(long)]
    free_ports: bool,
    /// The shop [default: 8081].
    #[arg(long, value_name = "PORT", env = "SHOP_PORT")]
    shop_port: Option<u16>,
    /// The CRM [default: 8082].
    #[arg(long, value_name = "PORT", env = "CRM_PORT")]
    crm_port: Option<u16>,
    /// The MES [default: 8083].
    #[arg(long, value_name = "PORT", env = "MES_PORT")]
    mes_port: Option<u16>,
    /// PostgreSQL [default: 5442].
    #[arg(long, value_name = "PORT", env = "POSTGRES_PORT")]
    postgres_port: Option<u16>,
    /// RabbitMQ [default: 5682].
    #[arg(long, value_name = "PORT", env = "AMQP_PORT")]
    amqp_port: Option<u16>,
    /// RabbitMQ, for other Erlang nodes [default: 5683].
    #[arg(long, value_name = "PORT", env = "AMQP_DISTRIBUTION_PORT")]
    amqp_distribution_port: Option<u16>,
    /// Erlang's port mapper [default: 5684].
    #[arg(long, value_name = "PORT", env = "EPMD_PORT")]
    epmd_port: Option<u16>,
    /// Elasticsearch [default: 9210].
    #[arg(long, value_name = "PORT", env = "ELASTICSEARCH_PORT")]
    elasticsearch_port: Option<u16>,
    /// Elasticsearch, for other nodes [default: 9310].
    #[arg(long, value_name = "PORT", env = "ELASTICSEARCH_TRANSPORT_PORT")]
    elasticsearch_transport_port: Option<u16>,
}

impl PortFlags {
    /// Every port with the part that it belongs to.
    pub(crate) fn choices(&self) -> [(Kind, Choice); 9] {
        [
            (Kind::Services, "--shop-port", 8081, self.shop_port),
            (Kind::Services, "--crm-port", 8082, self.crm_port),
            (Kind::Services, "--mes-port", 8083, self.mes_port),
            (Kind::Postgres, "--postgres-port", 5442, self.postgres_port),
            (Kind::Rabbitmq, "--amqp-port", 5682, self.amqp_port),
            (Kind::Rabbitmq, "--amqp-distribution-port", 5683, self.amqp_distribution_port),
            (Kind::Rabbitmq, "--epmd-port", 5684, self.epmd_port),
            (Kind::Elasticsearch, "--elasticsearch-port", 9210, self.elasticsearch_port),
            (Kind::Elasticsearch, "--elasticsearch-transport-port", 9310, self.elasticsearch_transport_port),
        ]
        .map(|(kind, flag, default, chosen)| {
            (kind, Choice { flag, default, chosen: chosen.or(self.free_ports.then_some(0)) })
        })
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whatever goes wrong below, a bug included, nothing of ours goes on running.
    let _last = process::DescendantsEnd;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::err(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    process::adopt_orphans()?;
    // One thread: children are tied to the life of the thread that starts them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tokio::spawn(process::reap_orphans());
        dispatch(cli).await
    });
    // A blocking read of a file or a terminal must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(cli: Cli) -> Result<()> {
    let data = match cli.data {
        Some(data) => std::path::absolute(data)?,
        None => workspace().join("target/local"),
    };
    let command = cli.command.unwrap_or(Command::Up(cli.up));
    let until_stdin_closes = matches!(&command, Command::Up(flags) if flags.until_stdin_closes);
    let mut requests = StopRequests::listen(until_stdin_closes)?;
    match command {
        Command::Up(flags) => start::up(&data, &flags, &mut requests).await,
        Command::Prepare { check } => prepare::prepare(check, &mut requests).await,
        Command::Demo(DemoFlags { incident: None, .. }) => unless_stopped(&mut requests, demo::demo(&data)).await,
        Command::Demo(DemoFlags { incident: Some(name), .. }) if name.is_empty() => {
            incident::list();
            Ok(())
        }
        Command::Demo(DemoFlags { incident: Some(name), count, lasting }) => {
            incident::show(&data, &name, count, Duration::from_secs(lasting), &mut requests).await
        }
        Command::Trail { order, logs } => unless_stopped(&mut requests, trail::trail(&data, &order, &logs)).await,
        Command::Errors(logs) => unless_stopped(&mut requests, errors::errors(&data, &logs)).await,
        Command::Stuck(logs) => unless_stopped(&mut requests, stuck::stuck(&data, &logs)).await,
        Command::Exec { service, arguments } => exec::exec(&data, &service, &arguments),
        Command::Reconcile { orders, since } => {
            unless_stopped(&mut requests, reconcile::reconcile(&data, orders, since)).await
        }
        Command::Backup { folder } => unless_stopped(&mut requests, backup::backup(&data, &folder)).await,
        Command::Restore { folder } => unless_stopped(&mut requests, backup::restore(&data, &folder)).await,
        Command::Doctor => doctor::doctor(&data).await,
    }
}

async fn unless_stopped(requests: &mut StopRequests, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        outcome = work => outcome,
        name = requests.next() => anyhow::bail!("stopped by {name}"),
    }
}
