//! The flags of the commands that search the logs: which Elasticsearch, and from which time on.

use std::fs;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use questions::{Elasticsearch, Logs, Period};

use crate::system::system_file::SystemFile;
use crate::terminal::print;

/// The variable with the password for `--login`.
const PASSWORD: &str = "ELASTICSEARCH_PASSWORD";
/// How long a response may take. A person at a terminal can wait longer than an employee with a customer on the phone.
const PATIENCE: Duration = Duration::from_secs(30);

/// The choice of logs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogFlags {
    /// Asks this Elasticsearch, such as `https://logs.example.org:9200`, instead of the local system's.
    #[arg(long, value_name = "URL", requires = "login")]
    elasticsearch: Option<String>,
    /// As this account, which needs the role `support`. Its password is the variable ELASTICSEARCH_PASSWORD, or a line
    /// on standard input.
    #[arg(long, value_name = "NAME", requires = "elasticsearch")]
    login: Option<String>,
    /// Trusts the authorities of the certificates in this file (PEM) as well.
    #[arg(long, value_name = "FILE", requires = "elasticsearch")]
    ca_file: Option<PathBuf>,
    /// Leaves older records out: a number of minutes, hours or days, such as 30m, 24h or 7d.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Period>,
}

impl LogFlags {
    /// The chosen Elasticsearch, with an account that reads the logs.
    pub(crate) fn open(&self, data: &Path) -> Result<Logs> {
        let (Some(address), Some(login)) = (&self.elasticsearch, &self.login) else {
            return of_system(&SystemFile::read(data)?);
        };
        let elasticsearch = Elasticsearch::new(address, PATIENCE, &authorities(self.ca_file.as_deref())?)?;
        Ok(elasticsearch.as_account(login, password()?.into()))
    }

    /// The chosen time.
    pub(crate) fn period(&self) -> Period {
        self.since.clone().unwrap_or_default()
    }
}

/// The logs of a running system, as Support sees them.
pub(crate) fn of_system(file: &SystemFile) -> Result<Logs> {
    let (address, support) = file.running_elasticsearch()?;
    let elasticsearch = Elasticsearch::new(address, PATIENCE, &authorities(file.ca_file.as_deref())?)?;
    Ok(elasticsearch.as_account(&support.login, support.password.clone().into()))
}

/// The certificates in a file; empty without one.
pub(crate) fn authorities(file: Option<&Path>) -> Result<String> {
    let Some(file) = file else { return Ok(String::new()) };
    fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

/// Says that an answer may not be whole.
pub(crate) fn warn_if(partial: bool) {
    if partial {
        print::err("A part of the logs did not respond in time: something may be missing.");
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

/// An age as a period.
fn since(text: &str) -> Result<Period, &'static str> {
    Period::last(text).ok_or("a time is a number of minutes, hours or days: 30m, 24h, 7d")
}
