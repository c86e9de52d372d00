//! Settings: environment variables (or flags), each with a default for local use.

use std::time::Duration;

use axum::http::Uri;
use clap::{CommandFactory as _, Parser, Subcommand};
use common::{
    http::RequestLimits,
    service::{ServerSettings, from_environment, variables_of, with_defaults},
};
use secrecy::SecretString;

/// How long a form may take to come in.
const FORM: Duration = Duration::from_secs(30);

/// All settings.
#[derive(Clone, Debug, Parser)]
#[command(name = "support-web", version, about)]
pub struct Settings {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Those that every server has.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Elasticsearch, such as `https://logs.example.org:9200`
    #[arg(long, env, default_value = "http://127.0.0.1:9210", value_parser = address)]
    pub elasticsearch_url: String,
    /// Seconds that Elasticsearch may take for a response
    #[arg(long, env, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub elasticsearch_seconds: u64,
    /// Where the runbook and the other documents are, for links to them
    #[arg(long, env, value_parser = address)]
    pub documents_url: Option<String>,
    /// The key that logins are hashed with in the log where no account is known; random at each start unless set
    #[arg(long, env, hide_env_values = true)]
    pub login_hash_key: Option<SecretString>,
}

/// What the program can do beside serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that the page with the same settings is ready; for containers without curl
    Healthcheck,
}

impl Settings {
    /// Reads flags and variables; on a wrong value, says which and ends the process.
    pub(crate) fn from_environment() -> Self {
        from_environment(Self::described)
    }

    fn described() -> clap::Command {
        let defaults = [
            ("listen_addr", "127.0.0.1:8084"),
            ("metrics_addr", "127.0.0.1:9184"),
            ("client_connections", "400"),
            // Far fewer people than customers, and the account's password opens all logs.
            ("login_burst", "30"),
            ("logins_per_second", "5"),
            ("session_hours", "12"),
        ];
        with_defaults(Self::command(), &defaults)
    }

    /// The names of all variables, for the test that holds the documentation to them.
    #[must_use]
    pub fn variables() -> Vec<String> {
        variables_of(&Self::described())
    }

    pub(crate) fn request_limits(&self) -> RequestLimits {
        self.server.request_limits(FORM, Vec::new())
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
        assert!(Settings::described().try_get_matches_from(["support-web"]).is_ok());
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
            let parsed = Settings::described().try_get_matches_from(["support-web", flag, value]);
            let error = parsed.expect_err("it is wrong").to_string();
            assert!(error.contains(variable), "{error}");
        }
    }
}
