//! A service as a process of its own, beside those of a running system.

use std::{
    fs::{File, OpenOptions},
    net::{TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use local::SystemFile;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Client, eventually,
    log::{self, Record},
    search::{Search, matching},
};

/// A running service, killed when this is dropped. Its log is shipped like every other.
pub struct Process {
    child: Child,
    log: PathBuf,
    address: String,
    metrics: String,
    support: Search,
}

impl Process {
    /// Starts a service with the system's environment for it, apart from these variables, and waits until it listens.
    pub async fn start(file: &SystemFile, service: &str, variables: &[(&str, String)]) -> Self {
        let (child, log) = spawn(file, service, variables, None);
        let (address, metrics) = (String::new(), String::new());
        let mut process = Self { child, log, address, metrics, support: Search::as_support(file) };
        let message = eventually("a service to listen", async || {
            if let Some(status) = process.child.try_wait().expect("a child can be asked") {
                panic!("{service} ended with {status}: {}", complaints(&process.log));
            }
            let ready = process.records().into_iter().find(|record| log::has(record, &[("service.state", "ready")]));
            ready.map(|record| log::text(&record, "msg").to_owned()).ok_or("it hasn't said so")
        });
        let message = message.await;
        let after =
            |words: &str| message.split_once(words).map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or(rest));
        process.address = format!("http://{}", after("listening on ").expect("an address"));
        process.metrics = after("metrics on ").map(|address| format!("http://{address}/metrics")).unwrap_or_default();
        process
    }

    /// Starts a service whose standard output takes nothing, as on a full disk, and waits until it responds.
    pub async fn start_mute(file: &SystemFile, service: &str, variables: &[(&str, String)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let address = format!("127.0.0.1:{port}");
        let variables = [variables, &[("LISTEN_ADDR", address.clone())]].concat();
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let (child, log) = spawn(file, service, &variables, Some(full));
        let (address, metrics) = (format!("http://{address}"), String::new());
        let process = Self { child, log, address, metrics, support: Search::as_support(file) };
        eventually("a service to listen", async || TcpStream::connect(process.host()).map(drop)).await;
        process
    }

    /// A client without a token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Where its metrics can be scraped; empty if they can't.
    #[must_use]
    pub fn metrics(&self) -> &str {
        &self.metrics
    }

    /// The address as `host:port`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Waits until it says that it is `ok`, `degraded` or `unavailable`.
    pub async fn healthy(&self, status: &str) {
        let client = self.client();
        eventually(&format!("{} to be {status}", self.log.display()), async || {
            let health = client.get("/health/ready").await;
            let code = if status == "unavailable" { 503 } else { 200 };
            if health.json["status"] == status && health.status == code { Ok(()) } else { Err(health.json) }
        })
        .await;
    }

    /// The file of its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it has logged so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        log::records(&self.log)
    }

    /// What Support sees of it with these values in these fields, once there are so many records.
    pub async fn found(&self, count: usize, fields: &[(&str, &str)]) -> Vec<Record> {
        let mut filters = matching(fields);
        filters.push(json!({"term": {"pid": self.child.id()}}));
        self.support.at_least(count, &filters).await
    }

    /// Kills it by SIGKILL.
    pub fn kill(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has died by itself, without a last word.
    pub async fn crashed(&mut self) {
        let status = ended(&mut self.child).await;
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status}: {}", complaints(&self.log));
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it can be signalled");
        ended(&mut self.child).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a service that is not to come up, and waits until it has given up. Returns its log and what it said besides.
pub async fn fails_to_start(file: &SystemFile, service: &str, variables: &[(&str, String)]) -> (PathBuf, String) {
    let (mut child, log) = spawn(file, service, variables, None);
    assert!(!ended(&mut child).await.success());
    let said = complaints(&log);
    (log, said)
}

fn spawn(file: &SystemFile, service: &str, variables: &[(&str, String)], output: Option<File>) -> (Child, PathBuf) {
    let log = file.logs.join(format!("{service}-{}.log", Uuid::now_v7().simple()));
    let open = |path: &Path| -> File {
        OpenOptions::new().create(true).append(true).open(path).expect("a file in the folder of logs")
    };
    // If the test's thread ends in whatever way, so does the service.
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(&file.binaries[service]);
    command.env_clear().envs(&file.environments[service]).env("LISTEN_ADDR", "127.0.0.1:0");
    command.env("METRICS_ADDR", "127.0.0.1:0");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(output.unwrap_or_else(|| open(&log)))
        .stderr(open(&log.with_extension("stderr.txt")));
    (command.spawn().expect("the service's program starts"), log)
}

async fn ended(child: &mut Child) -> ExitStatus {
    eventually("the service to end", async || child.try_wait().expect("a child can be asked").ok_or("it runs")).await
}

fn complaints(log: &Path) -> String {
    std::fs::read_to_string(log.with_extension("stderr.txt")).unwrap_or_default()
}
