//! The flags of `up`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::up::ports::PortFlags;
use crate::parts::kind::Kind;

/// How to start the system.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UpFlags {
    /// Starts over with empty databases, queues and logs.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Starts these parts alone, with what they need.
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,
    /// Sets a variable for all services and Support's page.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) ports: PortFlags,
    /// Lets PostgreSQL, RabbitMQ and Elasticsearch speak TLS with `server.pem` and `server-key.pem` of this folder, which
    /// are for 127.0.0.1; clients trust its `ca.pem`. Not with the shipper, which speaks no TLS here.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) certificates: Option<PathBuf>,
    /// Builds the services with these features: for tests.
    #[arg(long, value_name = "FEATURES", hide = true)]
    pub(crate) features: Option<String>,
    /// Stops when standard input ends, for a program that starts the system and may die.
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
    /// Starts sooner instead of running faster, doesn't wait for the disk, and removes the data folder in the end: for tests.
    #[arg(long)]
    pub(crate) throw_away: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
