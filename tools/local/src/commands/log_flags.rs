//! Whose logs a question is asked about, and from when on.

use std::io::BufRead as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::clients::elasticsearch::Elasticsearch;
use crate::system::accounts::Login;
use crate::system::system_file::SystemFile;

/// The variable with the password for `--login`.
const PASSWORD: &str = "ELASTICSEARCH_PASSWORD";

/// Which logs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogFlags {
    /// Asks this Elasticsearch, such as https://logs.example.org:9200, instead of the local system's.
    #[arg(long, value_name = "URL", requires = "login")]
    elasticsearch: Option<String>,
    /// As this account, which needs the role `support`. Its password is the variable ELASTICSEARCH_PASSWORD, or a line
    /// on standard input.
    #[arg(long, value_name = "NAME", requires = "elasticsearch")]
    login: Option<String>,
    /// Leaves older records out: a number of minutes, hours or days, such as 30m, 24h or 7d.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
}

impl LogFlags {
    /// Elasticsearch, as an account that reads the logs.
    pub(crate) fn open(&self, data: &Path) -> Result<Elasticsearch> {
        let (Some(address), Some(login)) = (&self.elasticsearch, &self.login) else {
            return of_system(&SystemFile::read(data)?);
        };
        let account = Login { login: login.clone(), password: password()? };
        Ok(Elasticsearch::new(address.trim_end_matches('/'), &account))
    }
}

/// The local system's Elasticsearch, as its support account.
pub(crate) fn of_system(file: &SystemFile) -> Result<Elasticsearch> {
    let address = file.elasticsearch.as_deref().context("the running system has no Elasticsearch")?;
    let support = file.accounts.support.as_ref().context("the running system has no account for Support")?;
    Ok(Elasticsearch::new(address, support))
}

/// Never on the command line, which everybody on the machine can read.
fn password() -> Result<String> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(password);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the password on standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "no password: set {PASSWORD}, or give it on standard input");
    Ok(password.to_owned())
}

/// A length of time until now, in Elasticsearch's own short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since(String);

impl Since {
    /// Lets only younger records through.
    pub(crate) fn filter(&self) -> Value {
        json!({ "range": { catalogue::field::TIME: { "gte": format!("now-{}", self.0) } } })
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix(['m', 'h', 'd']).and_then(|number| number.parse::<u32>().ok());
        number.map(|_| Self(text.to_owned())).ok_or("a time is a number of minutes, hours or days: 30m, 24h, 7d")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        assert_eq!("24h".parse(), Ok(Since("24h".to_owned())));
        for wrong in ["", "h", "24", "-1h", "24 h", "1w", "1h||/d"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
