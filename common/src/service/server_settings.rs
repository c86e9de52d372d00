//! The settings of whatever serves HTTP: the three services and Support's page.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use axum::http::HeaderValue;
use clap::{Args, FromArgMatches};
use ipnet::IpNet;

use super::management::MetricsAddr;
use crate::{
    auth::{RateLimit, SessionLimits},
    authorities::Authorities,
    http::{ConnectionLimits, RequestLimits},
};

/// The settings that every server has. A default that is empty here is the program's own ([`with_defaults`]).
#[derive(Clone, Debug, Args)]
pub struct ServerSettings {
    /// Where to listen
    #[arg(long, env, default_value = "")]
    pub listen_addr: SocketAddr,
    /// Where metrics can be scraped, at `/metrics`; nowhere if empty
    #[arg(long, env, default_value = "")]
    pub metrics_addr: MetricsAddr,
    /// A file with certificates (PEM) of certification authorities that are trusted in TLS connections to other servers,
    /// in addition to the public ones
    #[arg(long, env, default_value = "", hide_default_value = true, value_parser = Authorities::read)]
    pub ca_file: Authorities,
    /// Connections of clients at the same time; further ones wait until one ends
    #[arg(long, env, default_value = "", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub client_connections: u32,
    /// A connection on which no request comes for so many seconds ends
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub header_seconds: u64,
    /// A request or response that makes no progress for so many seconds is given up
    #[arg(long, env, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub stalled_seconds: u64,
    /// Networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`, between commas
    #[arg(long, env, value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Logins, and registrations where there are any, that one address may ask for at once
    #[arg(long, env, default_value = "")]
    pub login_burst: NonZeroU32,
    /// The same each second in the long run
    #[arg(long, env, default_value = "")]
    pub logins_per_second: NonZeroU32,
    /// A session that isn't used for so many minutes ends
    #[arg(long, env, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub session_idle_minutes: u64,
    /// Every session ends after so many hours
    #[arg(long, env, default_value = "", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub session_hours: u64,
    /// Seconds that requests and background work get to finish when the program is stopped
    #[arg(long, env, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub shutdown_seconds: u64,
    /// Seconds between two records that say that the program is there
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub heartbeat_seconds: u64,
}

/// Sets the defaults of a program, by the names of the settings' fields.
pub fn with_defaults(command: clap::Command, defaults: &[(&'static str, &'static str)]) -> clap::Command {
    command.mut_args(|argument| {
        let own = defaults.iter().find(|(name, _)| argument.get_id() == name);
        match own {
            Some((_, default)) => argument.default_value(*default),
            None => argument,
        }
    })
}

/// Reads flags and variables; on a wrong value, says which and ends the process.
pub fn from_environment<S: FromArgMatches>(described: impl Fn() -> clap::Command) -> S {
    S::from_arg_matches(&described().get_matches()).unwrap_or_else(|error| error.format(&mut described()).exit())
}

/// The names of all variables of a program.
pub fn variables_of(command: &clap::Command) -> Vec<String> {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    variables.map(|name| name.to_string_lossy().into_owned()).collect()
}

impl ServerSettings {
    /// How long requests and background work get to finish.
    #[must_use]
    pub const fn shutdown_deadline(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds)
    }

    /// The time between two records that say that the program is there.
    #[must_use]
    pub const fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_seconds)
    }

    /// What connections may not exceed.
    #[must_use]
    pub const fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.client_connections as usize,
            head: Duration::from_secs(self.header_seconds),
            stalled: Duration::from_secs(self.stalled_seconds),
        }
    }

    /// What requests may not exceed; `body` is the longest time for one to come in.
    #[must_use]
    pub fn request_limits(&self, body: Duration, cors_origins: Vec<HeaderValue>) -> RequestLimits {
        RequestLimits {
            stalled: Duration::from_secs(self.stalled_seconds),
            body,
            cors_origins,
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }

    /// How long sessions last.
    #[must_use]
    pub const fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            idle: Duration::from_secs(self.session_idle_minutes * 60),
            absolute: Duration::from_secs(self.session_hours * 3600),
        }
    }

    /// The rate of logins of one address.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::new(self.login_burst, self.logins_per_second)
    }
}
