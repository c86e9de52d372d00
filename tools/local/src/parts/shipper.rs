//! rsyslog as the shipper: tails the services' output and appends every record to Elasticsearch.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use nix::sys::signal::Signal;

use crate::host::folders::Folders;
use crate::host::process;
use crate::host::supervisor::{Part, Stage};
use crate::parts::kind::{Site, program};
use crate::system::accounts::Login;
use crate::terminal::progress::Progress;

/// This part's name.
pub(crate) const NAME: &str = "shipper";

/// How often the error file is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// The records' files are the queue: rsyslog reads them from their beginning at every start, also when it was killed, and
/// Elasticsearch refuses what it has. A position that was remembered before a crash would leave records out.
const START_ANEW: &str = r#"rm -rf -- "$SHIPPER_STATE" && mkdir -- "$SHIPPER_STATE" && exec "$0" "$@""#;

/// One shipper.
#[derive(Clone, Debug)]
pub(crate) struct Shipper {
    program: PathBuf,
    folder: PathBuf,
    output: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Shipper {
    /// A shipper of all records in the system's log folder to the Elasticsearch on this port.
    pub(crate) fn new(site: &Site, elasticsearch_port: u16, login: &Login) -> Result<Self> {
        let folder = site.folders.of(NAME);
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let environment = [
            ("LOG_FILES", text(site.folders.logs().join("*-api*.log"))),
            ("ELASTICSEARCH_HOST", "127.0.0.1".to_owned()),
            ("ELASTICSEARCH_PORT", elasticsearch_port.to_string()),
            ("SHIPPER_LOGIN", login.login.clone()),
            ("SHIPPER_PASSWORD", login.password.clone()),
            ("SHIPPER_STATE", text(folder.join("state"))),
            ("SHIPPER_ERRORS", text(errors(&site.folders))),
        ];
        Ok(Self {
            program: program("rsyslogd").context("rsyslog is not installed")?,
            output: site.folders.output(NAME),
            folder,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    /// Writes the configuration and lets rsyslog check it.
    pub(crate) async fn set_up(&self, site: &Site) -> Result<()> {
        site.owner.folder(&self.folder)?;
        site.owner.folder(&self.folder.join("state"))?;
        site.owner.file(&self.configuration(), elk::SHIPPER_CONFIGURATION)?;
        let mut check = process::command(&self.program);
        check.arg("-N1").arg("-f").arg(self.configuration()).envs(&self.environment).current_dir(&self.folder);
        site.owner.runs(&mut check);
        process::run(&mut check, Duration::from_secs(30)).await.context("the shipper's configuration")?;
        let _ = fs::remove_file(self.pid_file());
        Ok(())
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("rsyslog.conf")
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("rsyslogd.pid")
    }

    /// How to run it.
    pub(crate) fn part(&self) -> Part {
        let pid_file = self.pid_file();
        let arguments = vec![
            "-c".into(),
            START_ANEW.into(),
            self.program.clone().into_os_string(),
            "-n".into(),
            "-f".into(),
            self.configuration().into_os_string(),
            "-i".into(),
            self.pid_file().into_os_string(),
        ];
        Part {
            name: NAME,
            stage: Stage::Shipper,
            program: "/bin/sh".into(),
            arguments,
            environment: self.environment.clone(),
            folder: self.folder.clone(),
            output: self.output.clone(),
            errors: self.output.clone(),
            // rsyslog listens nowhere; it writes this file when its inputs and outputs are up.
            ready: Arc::new(move || {
                let pid_file = pid_file.clone();
                async move { fs::metadata(pid_file).map(drop).context("rsyslog has not come up") }.boxed()
            }),
            ready_within: Duration::from_secs(30),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(20),
        }
    }
}

/// The file for what Elasticsearch refuses.
pub(crate) fn errors(folders: &Folders) -> PathBuf {
    folders.of(NAME).join("refused.log")
}

/// The bytes in that file.
pub(crate) fn refused(folders: &Folders) -> u64 {
    fs::metadata(errors(folders)).map_or(0, |file| file.len())
}

/// Tells of every refusal, those from before included, as long as the system runs.
pub(crate) async fn report_refusals(folders: &Folders, progress: &Progress) {
    let mut told = 0;
    loop {
        let refused = refused(folders);
        if refused > told {
            let errors = errors(folders);
            progress.say(format!("! Elasticsearch refuses records; which, and why, is in {}", errors.display()));
        }
        told = refused;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Where rsyslog is, if it and its module for Elasticsearch are installed.
pub(crate) fn installed() -> Option<PathBuf> {
    let module = fs::read_dir("/usr/lib").into_iter().flatten().flatten().any(|item| {
        ["rsyslog/omelasticsearch.so", "omelasticsearch.so"].iter().any(|file| item.path().join(file).is_file())
    });
    program("rsyslogd").filter(|_| module)
}
