//! rsyslog as the shipper: follows the services' output and sends every record to Elasticsearch.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::host::supervisor::{Part, Stage, environment};
use crate::host::{folders::Folders, package_root::PackageRoot, process};
use crate::parts::elasticsearch;
use crate::system::accounts::Login;
use crate::terminal::progress::Progress;

const NAME: &str = "shipper";

/// The name of the folder of rsyslog's modules.
const MODULES: &str = "rsyslog";

/// The pause between two checks of the error file.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The records' files are the queue: rsyslog reads them from their beginning at every start, also after a crash, and
/// Elasticsearch refuses the records that it has. A position stored before a crash would leave records out.
const START_ANEW: &str = r#"rm -rf -- "$SHIPPER_STATE" && mkdir -- "$SHIPPER_STATE" && exec "$0" "$@""#;

/// Writes the configuration, lets rsyslog check it, and returns how to run the shipper of all records in the log folder
/// to the Elasticsearch at this port.
pub(crate) async fn set_up(folders: &Folders, elasticsearch_port: u16, login: &Login) -> Result<Part> {
    let (folder, user) = (folders.of(NAME), &folders.user);
    let (state, configuration, pid_file) =
        (folder.join("state"), folder.join("rsyslog.conf"), folder.join("rsyslogd.pid"));
    folders.create_folder(&folder)?;
    folders.create_folder(&state)?;
    user.write_file(&configuration, elk::SHIPPER_CONFIGURATION)?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut environment = environment([
        ("LOG_FILES", text(folders.logs().join("*.log"))),
        ("SEARCH_FILES", text(elasticsearch::searches(folders))),
        ("ELASTICSEARCH_HOST", "127.0.0.1".to_owned()),
        ("ELASTICSEARCH_PORT", elasticsearch_port.to_string()),
        ("SHIPPER_LOGIN", login.login.clone()),
        ("SHIPPER_PASSWORD", login.password.clone()),
        ("SHIPPER_STATE", text(state)),
        ("SHIPPER_ERRORS", text(errors(folders))),
    ]);
    let (root, rsyslog) = installed().context("rsyslog is not installed")?;
    environment.extend(root.environment()?);
    let modules = env::join_paths(root.modules(MODULES))?;
    let mut check = process::command(&rsyslog);
    check.arg("-N1").arg("-M").arg(&modules).arg("-f").arg(&configuration).envs(&environment).current_dir(&folder);
    user.run_as(&mut check);
    process::run(&mut check, Duration::from_secs(30)).await.context("the shipper's configuration")?;
    let _ = fs::remove_file(&pid_file);
    let mut arguments = vec!["-c".into(), START_ANEW.into(), rsyslog.into(), "-n".into(), "-M".into(), modules];
    arguments.extend(["-f".into(), configuration.into(), "-i".into(), pid_file.clone().into()]);
    // rsyslog listens on no port. It writes this file when its inputs and outputs are ready.
    let ready = move || std::future::ready(fs::metadata(&pid_file).map(drop).context("rsyslog has not come up"));
    Ok(Part {
        arguments,
        environment,
        ready_within: Duration::from_secs(30),
        stop_within: Duration::from_secs(20),
        ..Part::new((NAME, Stage::Shipper), "/bin/sh".into(), folders, ready)
    })
}

/// The file for the records that Elasticsearch refuses.
pub(crate) fn errors(folders: &Folders) -> PathBuf {
    folders.of(NAME).join("refused.log")
}

/// The size of that file in bytes.
pub(crate) fn refused(folders: &Folders) -> u64 {
    fs::metadata(errors(folders)).map_or(0, |file| file.len())
}

/// Prints a message for all refusals, including earlier ones. Never returns.
pub(crate) async fn report_refusals(folders: &Folders, progress: &Progress) {
    let mut reported = 0;
    loop {
        let refused = refused(folders);
        if refused > reported {
            let errors = errors(folders);
            progress.say(format!("! Elasticsearch refuses records; which, and why, is in {}", errors.display()));
        }
        reported = refused;
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// rsyslog and where it is, if it has its module for Elasticsearch.
pub(crate) fn installed() -> Option<(PackageRoot, PathBuf)> {
    let has_module =
        |root: &PackageRoot| root.modules(MODULES).iter().any(|folder| folder.join("omelasticsearch.so").is_file());
    let root = PackageRoot::all().find(has_module)?;
    let program = root.program("rsyslogd")?;
    Some((root, program))
}
