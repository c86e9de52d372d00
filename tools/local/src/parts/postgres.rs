//! PostgreSQL from Debian's packages: a cluster of its own that can be reached over TCP from this machine only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::host::supervisor::{Part, Stage};
use crate::host::{folders::Folders, process};

const NAME: &str = "postgres";
/// The cluster's superuser.
const SUPERUSER: &str = "postgres";
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// One cluster.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    binaries: PathBuf,
    folders: Folders,
    folder: PathBuf,
    port: u16,
    password: String,
    /// Whether commits needn't wait for the disk, because the data is for a test.
    throw_away: bool,
}

impl Postgres {
    /// The cluster in `folders`, listening on `port`, whose superuser has this password.
    pub(crate) fn new(folders: &Folders, port: u16, password: &str, throw_away: bool) -> Result<Self> {
        let (binaries, _) = installed().context("PostgreSQL is not installed")?;
        Ok(Self {
            binaries,
            folders: folders.clone(),
            folder: folders.of(NAME),
            port,
            password: password.to_owned(),
            throw_away,
        })
    }

    /// Creates the cluster, unless it exists.
    pub(crate) async fn set_up(&self) -> Result<()> {
        let user = &self.folders.user;
        user.create_folder(&self.folder)?;
        if self.cluster().join("PG_VERSION").exists() {
            return self.check_version();
        }
        // An interrupted attempt leaves an incomplete cluster, without the version file.
        if self.cluster().exists() {
            fs::remove_dir_all(self.cluster()).context("removing an incomplete cluster")?;
        }
        let password_file = self.folder.join("password");
        user.write_file(&password_file, &self.password)?;
        let draft = self.folder.join("draft");
        let _ = fs::remove_dir_all(&draft);
        let mut initdb = process::command(self.binaries.join("initdb"));
        initdb.arg("--pgdata").arg(&draft).arg("--pwfile").arg(&password_file);
        initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256"]);
        initdb.args(["--encoding", "UTF8", "--locale", "C.UTF-8"]).current_dir(&self.folder);
        if self.throw_away {
            initdb.arg("--no-sync");
        }
        user.run_as(&mut initdb);
        let created = process::run(&mut initdb, COMMAND_TIMEOUT).await;
        fs::remove_file(&password_file)?;
        created?;
        fs::rename(&draft, self.cluster()).context("moving the new cluster")
    }

    fn cluster(&self) -> PathBuf {
        self.folder.join("cluster")
    }

    /// A cluster belongs to one major version.
    fn check_version(&self) -> Result<()> {
        let of_data = fs::read_to_string(self.cluster().join("PG_VERSION"))?;
        let of_program = installed().map(|(_, version)| version).unwrap_or_default();
        if of_data.trim() == of_program {
            return Ok(());
        }
        bail!("the data is of PostgreSQL {}, installed is {of_program}: start over with --fresh", of_data.trim())
    }

    pub(crate) fn part(&self) -> Part {
        let mut settings = vec![
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            // The details of a violated constraint contain logins.
            "log_error_verbosity=terse".to_owned(),
            "unix_socket_directories=".to_owned(),
            // Each service, its replicas and the tests have their own pools.
            "max_connections=300".to_owned(),
        ];
        if self.throw_away {
            // The operating system has the commits, so that they survive a PostgreSQL that is killed. With
            // `synchronous_commit=off` the last ones would be lost.
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        let mut arguments = vec!["-D".into(), self.cluster().into_os_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let this = self.clone();
        let ready = move || {
            let this = this.clone();
            async move { this.query("postgres", "SELECT 1").await.map(drop) }
        };
        Part {
            arguments,
            // Ends sessions instead of waiting for them ("fast shutdown").
            stop_signal: Signal::SIGINT,
            ..Part::new((NAME, Stage::Store), self.binaries.join("postgres"), &self.folders, ready)
        }
    }

    /// The address of a database for the superuser.
    pub(crate) fn superuser_url(&self, database: &str) -> String {
        self.url(SUPERUSER, &self.password, database)
    }

    /// The address of a database for a user.
    pub(crate) fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the superuser and returns the rows, tab-separated.
    pub(crate) async fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.psql(database);
        psql.args(["--tuples-only", "--no-align", "--command", sql]);
        process::run(&mut psql, COMMAND_TIMEOUT).await
    }

    /// Creates a database if it is missing.
    pub(crate) async fn create_database(&self, name: &str, owner: &str) -> Result<()> {
        let there = self.query("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).await?;
        if there.trim().is_empty() {
            self.query("postgres", &format!("CREATE DATABASE {name} OWNER {owner}")).await?;
        }
        Ok(())
    }

    /// Creates a user with this password, or sets the password of an existing one.
    pub(crate) async fn create_user(&self, name: &str, password: &str) -> Result<()> {
        let there = self.query("postgres", &format!("SELECT 1 FROM pg_roles WHERE rolname = '{name}'")).await?;
        let verb = if there.trim().is_empty() { "CREATE" } else { "ALTER" };
        self.query("postgres", &format!("{verb} ROLE {name} LOGIN PASSWORD '{password}'")).await.map(drop)
    }

    /// Runs a file of SQL as one transaction, or without one if the file begins with `-- no-transaction`.
    pub(crate) async fn apply(&self, database: &str, file: &Path) -> Result<()> {
        let mut psql = self.psql(database);
        if !fs::read_to_string(file)?.starts_with("-- no-transaction") {
            psql.arg("--single-transaction");
        }
        psql.arg("--file").arg(file);
        process::run(&mut psql, COMMAND_TIMEOUT).await.map(drop)
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = process::command(self.binaries.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--host", "127.0.0.1"]);
        psql.args(["--username", SUPERUSER, "--dbname", database, "--port", &self.port.to_string()]);
        psql.env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "5")
            .env("PGOPTIONS", "-c client_min_messages=warning");
        psql
    }
}

/// The folder of the newest PostgreSQL's programs, such as `psql` and `pgbench`.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    installed().map(|(folder, _)| folder)
}

/// The folder and the major version of the newest PostgreSQL server on this machine.
pub(crate) fn installed() -> Option<(PathBuf, String)> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian
        .filter_map(|item| Some((item.file_name().to_str()?.parse::<u32>().ok()?, item.path().join("bin"))))
        .filter(|(_, folder)| is_complete(folder))
        .max();
    if let Some((version, folder)) = newest {
        return Some((folder, version.to_string()));
    }
    let path = std::env::var_os("PATH")?;
    let folder = std::env::split_paths(&path).find(|folder| is_complete(folder))?;
    let output = std::process::Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 17.2"
    let output = String::from_utf8(output.stdout).ok()?;
    let version = output.split_whitespace().nth(2)?.split('.').next()?.to_owned();
    Some((folder, version))
}

fn is_complete(folder: &Path) -> bool {
    ["postgres", "initdb", "psql"].iter().all(|program| folder.join(program).is_file())
}
