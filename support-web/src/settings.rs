//! Settings: environment variables (or flags), each with a default for local use.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use axum::http::Uri;
use clap::{CommandFactory as _, Parser, Subcommand};
use common::{
    authorities::Authorities,
    http::{ConnectionLimits, RequestLimits},
    service::MetricsAddr,
};
use ipnet::IpNet;
use secrecy::SecretString;

/// How long a form may take to come in.
const FORM: Duration = Duration::from_secs(30);

/// All settings.
#[derive(Clone, Debug, Parser)]
#[command(name = "support-web", version, about)]
pub struct Settings {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where to listen
    #[arg(long, env = "LISTEN_ADDR", value_name = "LISTEN_ADDR", default_value = "127.0.0.1:8084")]
    pub listen_addr: SocketAddr,
    /// Where metrics can be scraped, at `/metrics`; nowhere if empty
    #[arg(long, env = "METRICS_ADDR", value_name = "METRICS_ADDR", default_value = "127.0.0.1:9184")]
    pub metrics_addr: MetricsAddr,
    /// Elasticsearch, such as `https://logs.example.org:9200`
    #[arg(long, env = "ELASTICSEARCH_URL", value_name = "ELASTICSEARCH_URL", default_value = "http://127.0.0.1:9200",
          value_parser = address)]
    pub elasticsearch_url: String,
    /// A file with certificates (PEM) of certification authorities that are trusted in TLS connections to other servers,
    /// in addition to the system's
    #[arg(long, env = "CA_FILE", value_name = "CA_FILE", default_value = "", hide_default_value = true,
          value_parser = Authorities::read)]
    pub ca_file: Authorities,
    /// Seconds that Elasticsearch may take for a response
    #[arg(long, env = "ELASTICSEARCH_SECONDS", value_name = "ELASTICSEARCH_SECONDS", default_value_t = 8,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub elasticsearch_seconds: u64,
    /// Where the runbook and the other documents are, for links to them
    #[arg(long, env = "DOCUMENTS_URL", value_name = "DOCUMENTS_URL", value_parser = address)]
    pub documents_url: Option<String>,
    /// Connections of clients at the same time; further ones wait until one ends
    #[arg(long, env = "CLIENT_CONNECTIONS", value_name = "CLIENT_CONNECTIONS", default_value_t = 400,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub client_connections: u32,
    /// A connection on which no request comes for so many seconds ends
    #[arg(long, env = "HEADER_SECONDS", value_name = "HEADER_SECONDS", default_value_t = 15,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub header_seconds: u64,
    /// A request or response that makes no progress for so many seconds is given up
    #[arg(long, env = "STALLED_SECONDS", value_name = "STALLED_SECONDS", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub stalled_seconds: u64,
    /// Networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`, between commas
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Logins that one address may ask for at once
    #[arg(long, env = "LOGIN_BURST", value_name = "LOGIN_BURST", default_value = "30")]
    pub login_burst: NonZeroU32,
    /// Logins that one address may ask for each second in the long run
    #[arg(long, env = "LOGINS_PER_SECOND", value_name = "LOGINS_PER_SECOND", default_value = "5")]
    pub logins_per_second: NonZeroU32,
    /// The key that logins are hashed with in the log where no account is known; random at each start unless set
    #[arg(long, env = "LOGIN_HASH_KEY", value_name = "LOGIN_HASH_KEY", hide_env_values = true)]
    pub login_hash_key: Option<SecretString>,
    /// A session that isn't used for so many minutes ends
    #[arg(long, env = "SESSION_IDLE_MINUTES", value_name = "SESSION_IDLE_MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub session_idle_minutes: u64,
    /// Every session ends after so many hours
    #[arg(long, env = "SESSION_HOURS", value_name = "SESSION_HOURS", default_value_t = 12,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub session_hours: u64,
    /// Seconds that requests get to finish when the page is stopped
    #[arg(long, env = "SHUTDOWN_SECONDS", value_name = "SHUTDOWN_SECONDS", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..=600))]
    pub shutdown_seconds: u64,
    /// Seconds between two records that say that the page is there
    #[arg(long, env = "HEARTBEAT_SECONDS", value_name = "HEARTBEAT_SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub heartbeat_seconds: u64,
}

/// What the program can do beside serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that the page with the same settings is ready; for containers without curl
    Healthcheck,
}

impl Settings {
    /// The names of all variables, for the test that holds the documentation to them.
    #[must_use]
    pub fn variables() -> Vec<String> {
        let command = Self::command();
        let variables = command.get_arguments().filter_map(|argument| argument.get_env());
        variables.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    pub(crate) const fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.client_connections as usize,
            head: Duration::from_secs(self.header_seconds),
            stalled: Duration::from_secs(self.stalled_seconds),
        }
    }

    pub(crate) fn request_limits(&self) -> RequestLimits {
        RequestLimits {
            stalled: Duration::from_secs(self.stalled_seconds),
            body: FORM,
            cors_origins: Vec::new(),
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "an address is http:// or https:// with a host, and no login";
    let address: Uri = text.parse().map_err(|_| WRONG)?;
    let is_web = matches!(address.scheme_str(), Some("http" | "https"));
    let host = address.authority().filter(|authority| !authority.as_str().contains('@'));
    if is_web && host.is_some() { Ok(text.trim_end_matches('/').to_owned()) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented_and_has_a_default() {
        let documentation = include_str!("../../docs/settings.md");
        for variable in Settings::variables() {
            assert!(documentation.contains(&format!("`{variable}`")), "{variable} is not in docs/settings.md");
        }
        assert!(Settings::try_parse_from(["support-web"]).is_ok());
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (flag, value, variable) in [
            ("--listen-addr", "x", "LISTEN_ADDR"),
            ("--metrics-addr", "9184", "METRICS_ADDR"),
            ("--elasticsearch-url", "logs:9200", "ELASTICSEARCH_URL"),
            ("--elasticsearch-url", "http://ada:secret@logs:9200", "ELASTICSEARCH_URL"),
            ("--ca-file", "/nowhere/ca.pem", "CA_FILE"),
            ("--session-idle-minutes", "1", "SESSION_IDLE_MINUTES"),
        ] {
            let error = Settings::try_parse_from(["support-web", flag, value]).expect_err("it is wrong").to_string();
            assert!(error.contains(variable), "{error}");
        }
    }
}
