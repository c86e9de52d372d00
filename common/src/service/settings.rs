//! Settings: environment variables (or flags), each with a default for local use, each checked before anything starts.

use catalogue::Service;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::http::{HeaderValue, Uri};
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::{
    cli::Command,
    definition::Definition,
    server_settings::{ServerSettings, from_environment, variables_of, with_defaults},
};
use crate::{
    auth::Auth,
    database::{Database, Timeouts},
    http::RequestLimits,
    journal::Journal,
    model_store::ModelStore,
    state::{Core, Health},
    unit_of_work::Units,
};

/// File descriptors beside those of clients and of the database: standard streams, the broker, spans on their way out.
const OTHER_DESCRIPTORS: u64 = 96;

/// All settings of a service.
#[derive(Parser)]
#[command(version)]
#[group(skip)]
pub struct Settings<S: Definition> {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Those that every service has.
    #[command(flatten)]
    pub core: CoreSettings,
    /// Those that only this one has.
    #[command(flatten)]
    pub own: S::Settings,
}

/// The settings that every service has.
#[derive(Clone, Debug, Args)]
pub struct CoreSettings {
    /// Those that every server has.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Seconds between two counts of what the database holds, for metrics
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub metrics_count_seconds: u64,
    /// PostgreSQL, as `postgres://login:password@host:port/database`
    #[arg(long, env, default_value = "", hide_env_values = true)]
    pub database_url: SecretString,
    /// Database connections, which are opened at the start and kept
    #[arg(long, env, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// Seconds that a request waits for a database connection
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub database_wait_seconds: u64,
    /// Seconds that a statement may take
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub database_statement_seconds: u64,
    /// Seconds that a statement may wait for a lock
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub database_lock_seconds: u64,
    /// Where 3D models lie: `file:///folder` or `s3://bucket/prefix` (with the usual `AWS_*` variables)
    #[arg(long, env, default_value = "file:///tmp/alexandrite-models")]
    pub model_store_url: String,
    /// Seconds that S3 may be silent, also while it takes a part of a model in
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub model_store_seconds: u64,
    /// The largest model, in bytes
    #[arg(long, env, default_value_t = 64 * 1024 * 1024,
          value_parser = clap::value_parser!(u64).range(1..=1024 * 1024 * 1024))]
    pub upload_limit_bytes: u64,
    /// Models that are received at the same time; further ones wait
    #[arg(long, env, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub uploads_at_once: u16,
    /// A stored model that belongs to no order is removed after so many hours
    #[arg(long, env, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub unused_model_hours: u64,
    /// A request's body, such as a model, has to be there after so many seconds
    #[arg(long, env, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub body_seconds: u64,
    /// Origins of web pages elsewhere that may use this service, such as `https://shop.example.org`, between commas
    #[arg(long, env, value_delimiter = ',', value_parser = origin)]
    pub cors_allowed_origins: Vec<HeaderValue>,
    /// So many failed logins from one address within 15 minutes, over all logins, are a warning
    #[arg(long, env, default_value = "50")]
    pub login_source_failures: NonZeroU32,
    /// The key that logins and addresses are hashed with to count their failures, and logins in the log if no account has
    /// them; the database's own unless set
    #[arg(long, env, hide_env_values = true)]
    pub login_hash_key: Option<SecretString>,
}

impl<S: Definition> Settings<S> {
    /// Reads flags and variables; on a wrong value, says which and ends the process.
    pub(super) fn from_environment() -> Self {
        from_environment(Self::described)
    }

    /// Reads the given flags, and variables for the others.
    ///
    /// # Errors
    ///
    /// If a value is wrong; the message names the variable.
    pub fn from_flags<'a>(flags: impl IntoIterator<Item = &'a str>) -> Result<Self, clap::Error> {
        let flags = std::iter::once(S::SERVICE.name()).chain(flags);
        Self::from_arg_matches(&Self::described().try_get_matches_from(flags)?)
    }

    fn described() -> clap::Command {
        let command = Self::command().mut_subcommand("dead-letters", |command| command.hide(S::AMQP_URL.is_empty()));
        let defaults = [
            ("listen_addr", S::LISTEN_ADDR),
            ("metrics_addr", S::METRICS_ADDR),
            ("database_url", S::DATABASE_URL),
            ("amqp_url", S::AMQP_URL),
            ("client_connections", "2000"),
            ("login_burst", "500"),
            ("logins_per_second", "50"),
            ("session_hours", "24"),
        ];
        with_defaults(command.name(S::SERVICE.name()).about(S::ABOUT), &defaults)
    }

    /// The names of all variables, for the test that holds the documentation to them.
    #[must_use]
    pub fn variables() -> Vec<String> {
        variables_of(&Self::described())
    }
}

impl CoreSettings {
    /// Lets this process have as many file descriptors as its clients may need: each a connection and a model.
    pub(super) fn raise_descriptor_limit(&self) -> anyhow::Result<()> {
        let clients = self.server.client_connections;
        let needed = 2 * u64::from(clients) + u64::from(self.database_connections) + OTHER_DESCRIPTORS;
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        ensure!(
            needed <= hard,
            "CLIENT_CONNECTIONS: {clients} connections need {needed} file descriptors, and this process may have {hard}"
        );
        if soft < needed {
            setrlimit(Resource::RLIMIT_NOFILE, needed, hard)?;
        }
        Ok(())
    }

    /// What requests may not exceed.
    pub(super) fn request_limits(&self) -> RequestLimits {
        self.server.request_limits(Duration::from_secs(self.body_seconds), self.cors_allowed_origins.clone())
    }

    /// Opens what the settings name. The database is connected to when it is first needed.
    pub(super) fn open(&self, service: Service, journal: Journal) -> anyhow::Result<Core> {
        let timeouts = Timeouts {
            connection: Duration::from_secs(self.database_wait_seconds),
            statement: Duration::from_secs(self.database_statement_seconds),
            lock: Duration::from_secs(self.database_lock_seconds),
        };
        let (url, authorities) = (&self.database_url, &self.server.ca_file);
        let database = Database::open(url, authorities, self.database_connections, timeouts, service.name())
            .map_err(|_| anyhow::anyhow!("DATABASE_URL: this is no postgres:// URL"))?;
        let (limit, uploads) = (self.upload_limit_bytes, usize::from(self.uploads_at_once));
        let timeout = Duration::from_secs(self.model_store_seconds);
        let models = ModelStore::open(&self.model_store_url, service, limit, uploads, timeout, authorities);
        let outbox_written = Arc::new(Notify::new());
        let units = Units::new(database.clone(), journal.clone(), Arc::clone(&outbox_written));
        let auth = Auth::new(
            database.clone(),
            units.clone(),
            self.server.session_limits(),
            self.server.rate_limit(),
            self.login_hash_key.clone(),
            self.login_source_failures,
        )?;
        Ok(Core {
            service,
            authorities: authorities.clone(),
            auth,
            units,
            database,
            models: models.context("MODEL_STORE_URL")?,
            unused_model_age: Duration::from_secs(self.unused_model_hours * 3600),
            count_every: Duration::from_secs(self.metrics_count_seconds),
            health: Health::default(),
            requests: TaskTracker::new(),
            journal,
            outbox_written,
        })
    }
}

/// An origin as browsers send it: a scheme, a host and perhaps a port.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri: Option<Uri> = text.parse().ok();
    let fits = |uri: Uri| {
        let (scheme, authority) = (uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_owned());
        (format!("{scheme}://{authority}") == text).then_some(())
    };
    let value = uri.and_then(fits).and_then(|()| HeaderValue::from_str(text).ok());
    value.ok_or_else(|| "an origin is a scheme, a host and perhaps a port, such as https://shop.example.org".to_owned())
}
