//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::commands::{
    backup, demo, doctor, doctor_containers, errors, exec, incident, log_flags::LogFlags, metrics, model, prepare,
    reconcile, stuck, trail, up, up::flags::UpFlags,
};
use crate::host::{folders::workspace, orphans, stop::StopRequests};
use crate::terminal::print;

/// The whole system on this machine, without containers: PostgreSQL, RabbitMQ, Elasticsearch, the log shipper, the three
/// services and Support's page. Without a command, it starts all of them.
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
    /// Shows which orders are stuck or overdue now, as the logs have them: the longest-waiting first.
    Stuck(LogFlags),
    /// Shows the important metrics of all services as one table, with rates over the last minute.
    Metrics,
    /// Runs a subcommand of a service with the settings that the running system gave it, such as
    /// `exec mes-api dead-letters list`.
    Exec {
        /// shop-api, crm-api, mes-api or support-web.
        service: String,
        /// The subcommand with its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<OsString>,
    },
    /// Says what the MES says of a 3D model: its size, weight and price, or why it has none; `model --help` has the flags.
    #[command(disable_help_flag = true)]
    Model {
        /// The file, and how to read it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<OsString>,
    },
    /// Creates an account of a seller or operator, disables or enables one, or changes a role, such as
    /// `account operator add --login ada`, which reads the password from standard input.
    Account {
        /// Whose account it is.
        kind: exec::AccountKind,
        /// add, disable, enable or role, with its flags.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<OsString>,
    },
    /// Compares both databases with the logs: every change of an order has exactly one record, and the reverse.
    Reconcile {
        /// Only these orders, such as A-100042; all of them if none is named.
        orders: Vec<String>,
        /// Only changes from this moment on, such as 2026-11-23T00:00:00Z, or so long ago, such as 90m or 24h.
        #[arg(long, value_name = "TIME")]
        since: Option<reconcile::StartTime>,
    },
    /// Writes both databases and the models into a new folder, while the system runs.
    Backup {
        /// The folder.
        folder: PathBuf,
    },
    /// Puts a backup in the place of what the databases have, and ends all sessions; only while no service runs
    /// (`up --only postgres`).
    Restore {
        /// The backup's folder.
        folder: PathBuf,
    },
    /// Says what the system needs from this machine, what is there, and how to get the rest.
    Doctor {
        /// Of the system in containers: Docker, each service's health, and whether a record gets to Elasticsearch.
        #[arg(long)]
        containers: bool,
    },
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

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // No process of ours survives this one, even after a panic.
    let _kill = orphans::KillDescendantsOnDrop;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::err(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    orphans::adopt()?;
    // One thread: children die with the thread that starts them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tokio::spawn(orphans::reap());
        dispatch(cli).await
    });
    // Doesn't wait for a blocking read of a file or a terminal.
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
        Command::Up(flags) => up::run::run(&data, &flags, &mut requests).await,
        Command::Prepare { check } => prepare::prepare(check, &mut requests).await,
        Command::Demo(DemoFlags { incident: None, .. }) => unless_stopped(&mut requests, demo::demo(&data)).await,
        Command::Demo(DemoFlags { incident: Some(name), .. }) if name.is_empty() => {
            incident::list();
            Ok(())
        }
        Command::Demo(DemoFlags { incident: Some(name), count, lasting }) => {
            incident::run(&data, &name, count, Duration::from_secs(lasting), &mut requests).await
        }
        Command::Trail { order, logs } => unless_stopped(&mut requests, trail::trail(&data, &order, &logs)).await,
        Command::Errors(logs) => unless_stopped(&mut requests, errors::errors(&data, &logs)).await,
        Command::Stuck(logs) => unless_stopped(&mut requests, stuck::stuck(&data, &logs)).await,
        Command::Metrics => unless_stopped(&mut requests, metrics::metrics(&data)).await,
        Command::Model { arguments } => model::model(&arguments).await,
        Command::Exec { service, arguments } => exec::exec(&data, &service, &arguments),
        Command::Account { kind, arguments } => exec::account(&data, kind, &arguments),
        Command::Reconcile { orders, since } => {
            unless_stopped(&mut requests, reconcile::reconcile(&data, orders, since)).await
        }
        Command::Backup { folder } => unless_stopped(&mut requests, backup::backup(&data, &folder)).await,
        Command::Restore { folder } => unless_stopped(&mut requests, backup::restore(&data, &folder)).await,
        Command::Doctor { containers: false } => doctor::doctor(&data).await,
        Command::Doctor { containers: true } => unless_stopped(&mut requests, doctor_containers::doctor()).await,
    }
}

async fn unless_stopped(requests: &mut StopRequests, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        outcome = work => outcome,
        name = requests.next() => anyhow::bail!("stopped by {name}"),
    }
}
