//! PostgreSQL: a cluster of its own that can be reached over TCP from this machine only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::clients::database;
use crate::host::supervisor::{Part, Stage};
use crate::host::{folders::Folders, process};
use crate::parts::certificates::{Certificates, SERVER, SERVER_KEY};
use crate::parts::postgres_programs::{self, MAJOR};
use crate::terminal::progress::Line;

const NAME: &str = "postgres";
/// The cluster's superuser.
const SUPERUSER: &str = "postgres";
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// One cluster.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folders: Folders,
    folder: PathBuf,
    port: u16,
    password: String,
    /// Whether commits needn't wait for the disk, nor passwords be hard to guess, because the data is for a test.
    throw_away: bool,
    /// With them, the server speaks TLS to clients that ask for it.
    certificates: Option<Certificates>,
}

impl Postgres {
    /// The cluster in `folders`, listening on `port`, whose superuser has this password. The server is downloaded if it
    /// is missing.
    pub(crate) async fn new(
        folders: &Folders,
        port: u16,
        password: &str,
        throw_away: bool,
        certificates: Option<Certificates>,
        line: &Line,
    ) -> Result<Self> {
        let content = postgres_programs::server()?.provide(&folders.shared, line).await?;
        Ok(Self {
            programs: content.join("bin"),
            folders: folders.clone(),
            folder: folders.of(NAME),
            port,
            password: password.to_owned(),
            throw_away,
            certificates,
        })
    }

    /// Creates the cluster, unless it exists.
    pub(crate) async fn set_up(&self) -> Result<()> {
        let user = &self.folders.user;
        self.folders.create_folder(&self.folder)?;
        if let Some(certificates) = &self.certificates {
            certificates.put_into(&self.folders, &self.folder)?;
        }
        if self.cluster().join("PG_VERSION").exists() {
            // Left by a server that was killed. PostgreSQL takes any process with its id for that server, such as one that has
            // ended and waits for its parent; the runner knows that no process of this cluster is left.
            let _ = fs::remove_file(self.cluster().join("postmaster.pid"));
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
        let mut initdb = process::command(self.programs.join("initdb"));
        initdb.arg("--pgdata").arg(&draft).arg("--pwfile").arg(&password_file);
        initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256"]);
        initdb.args(["--encoding", "UTF8", "--locale", "C.UTF-8"]).current_dir(&self.folder);
        if self.throw_away {
            // Each connection proves that it knows the password, and by default both sides hash it 4,096 times for that.
            initdb.args(["--no-sync", "--set", "scram_iterations=1"]);
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
        let (of_data, folder) = (of_data.trim(), self.cluster());
        ensure!(
            of_data == MAJOR.to_string(),
            "the data in {} is of PostgreSQL {of_data}, and this version runs {MAJOR}: start over with `cargo run -- up \
             --fresh`, which deletes it. To keep it, let the version that wrote it make a backup before (`cargo run -- \
             backup`), and restore that after",
            folder.display()
        );
        Ok(())
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
        if self.certificates.is_some() {
            let path = |name: &str| self.folder.join(name).display().to_string();
            settings.push("ssl=on".to_owned());
            settings.push(format!("ssl_cert_file={}", path(SERVER)));
            settings.push(format!("ssl_key_file={}", path(SERVER_KEY)));
        }
        let mut arguments = vec!["-D".into(), self.cluster().into_os_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let this = self.clone();
        let ready = move || {
            let this = this.clone();
            async move { this.execute("SELECT 1".to_owned()).await }
        };
        Part {
            arguments,
            // Ends sessions instead of waiting for them ("fast shutdown").
            stop_signal: Signal::SIGINT,
            ..Part::new((NAME, Stage::Store), self.programs.join("postgres"), &self.folders, ready)
        }
    }

    /// The address of a database for the superuser.
    pub(crate) fn superuser_url(&self, database: &str) -> String {
        self.url(SUPERUSER, &self.password, database)
    }

    /// The address of a database for a service's user, who checks the server's certificate if it has one.
    pub(crate) fn service_url(&self, user: &str, password: &str, database: &str) -> String {
        let mode = if self.certificates.is_some() { "?sslmode=verify-full" } else { "" };
        format!("{}{mode}", self.url(user, password, database))
    }

    fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates a database if it is missing.
    pub(crate) async fn create_database(&self, name: &str, owner: &str) -> Result<()> {
        if self.has("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).await? {
            return Ok(());
        }
        self.execute(format!("CREATE DATABASE {name} OWNER {owner}")).await
    }

    /// Creates a user with this password, or sets the password of an existing one.
    pub(crate) async fn create_user(&self, name: &str, password: &str) -> Result<()> {
        let there = self.has("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).await?;
        let verb = if there { "ALTER" } else { "CREATE" };
        self.execute(format!("{verb} ROLE {name} LOGIN PASSWORD '{password}'")).await
    }

    /// Runs a file of SQL as one transaction.
    pub(crate) async fn apply(&self, database: &str, file: &Path) -> Result<()> {
        database::execute(&self.superuser_url(database), fs::read_to_string(file)?).await
    }

    async fn execute(&self, statements: String) -> Result<()> {
        database::execute(&self.superuser_url(SUPERUSER), statements).await
    }

    async fn has(&self, query: &'static str, name: &str) -> Result<bool> {
        database::ask(&self.superuser_url(SUPERUSER), query, name).await
    }
}
