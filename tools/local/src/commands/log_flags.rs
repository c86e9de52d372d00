//! The flags of the commands that search the logs: which Elasticsearch, and from which time on.

use std::io::BufRead as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::clients::elasticsearch::Elasticsearch;
use crate::system::{accounts::Login, system_file::SystemFile};

/// The variable with the password for `--login`.
const PASSWORD: &str = "ELASTICSEARCH_PASSWORD";

/// The choice of logs.
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
    since: Option<Since>,
}

impl LogFlags {
    /// The chosen Elasticsearch, with an account that reads the logs.
    pub(crate) fn open(&self, data: &Path) -> Result<Elasticsearch> {
        let (Some(address), Some(login)) = (&self.elasticsearch, &self.login) else {
            let file = SystemFile::read(data)?;
            let (address, support) = file.running_elasticsearch()?;
            return Ok(Elasticsearch::new(address, support));
        };
        let account = Login { login: login.clone(), password: password()? };
        Ok(Elasticsearch::new(address.trim_end_matches('/'), &account))
    }

    /// These filters, and the one for the time.
    pub(crate) fn with_time(&self, mut filters: Vec<Value>) -> Vec<Value> {
        filters.extend(
            self.since
                .iter()
                .map(|Since(age)| json!({ "range": { catalogue::field::TIME: { "gte": format!("now-{age}") } } })),
        );
        filters
    }
}

/// Not a flag: other users of the machine can read the command line.
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

/// An age in Elasticsearch's own short form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Since(String);

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
