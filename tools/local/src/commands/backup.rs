//! `backup` and `restore`: the two databases, as files of `pg_dump`, and the models.
//!
//! A backup is taken while the system runs. Models are copied before and after the databases, because an order in a dump
//! needs its model, and models never change. The databases are dumped one after the other, the shop's first, so they are
//! not of the same moment: after a restore, `reconcile` says what one of them, or the log, has in addition.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use catalogue::Action;
use reqwest::Url;
use tokio::process::Command;

use crate::host::{files, os_user::OsUser, process};
use crate::parts::postgres_programs::client;
use crate::system::system_file::SystemFile;
use crate::terminal::print;

/// The limit for a dump of one database; a larger database needs another tool.
const WITHIN: Duration = Duration::from_secs(3600);
/// The gap in the order numbers, above the number of orders between a backup and its restore.
const NUMBERS_LEFT_OUT: u32 = 1_000_000;
const MODELS: &str = "models";
/// What takes rights away. A restore undoes what came after the backup.
const WITHDRAWALS: [Action; 4] =
    [Action::AccountDisabled, Action::AccountRoleChanged, Action::AccountPasswordChanged, Action::AccountKeyWithdrawn];

/// One of the two databases.
struct Database {
    name: &'static str,
    /// The sequence of its orders' numbers.
    numbers: &'static str,
    /// Its address, with its owner's login.
    url: String,
}

/// Writes a backup of the running system into a new or empty folder. Only this user can read it: it has personal data.
pub(crate) async fn backup(data: &Path, to: &Path) -> Result<()> {
    let file = SystemFile::read(data)?;
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    ensure!(fs::read_dir(to)?.next().is_none(), "{} is not empty", to.display());
    fs::set_permissions(to, Permissions::from_mode(0o700))
        .with_context(|| format!("closing {} to others", to.display()))?;
    let models = model_folder(&file)?;
    let pg_dump = client("pg_dump").await?;
    let mut copied = copy_models(&models, &to.join(MODELS))?;
    for database in databases(&file)? {
        let dump = files::create_private(&dump_of(to, &database))?;
        let mut pg_dump = database.client(&pg_dump)?;
        pg_dump.args(["--format=custom", "--no-owner"]).stdout(dump);
        process::run(&mut pg_dump, WITHIN).await.with_context(|| format!("dumping {}", database.name))?;
    }
    copied += copy_models(&models, &to.join(MODELS))?;
    print::out(format_args!("two databases and {copied} models are in {}", to.display()));
    Ok(())
}

/// Replaces the databases' content by a backup. Only while no service runs: `up --only postgres`.
pub(crate) async fn restore(data: &Path, from: &Path) -> Result<()> {
    let file = SystemFile::read(data)?;
    if file.shop_api.is_some() {
        bail!("the services run: stop the system and start only its databases, `cargo run -- up --only postgres`");
    }
    let databases = databases(&file)?;
    for database in &databases {
        let dump = dump_of(from, database);
        ensure!(dump.is_file(), "{} is missing", dump.display());
    }
    let (pg_restore, psql) = (client("pg_restore").await?, client("psql").await?);
    // Before the orders that need them.
    let copied = copy_models(&from.join(MODELS), &model_folder(&file)?)?;
    for database in databases {
        // As a file, because half a dump must not be committed. It is gone when this process is.
        let path = data.join("restore.sql");
        let mut statements = files::create_private(&path)?;
        fs::remove_file(&path)?;
        let mut pg_restore = process::command(&pg_restore);
        pg_restore.args(["--no-owner", "--file=-"]).arg(dump_of(from, &database)).stdout(statements.try_clone()?);
        let read = process::run(&mut pg_restore, WITHIN).await;
        read.with_context(|| format!("reading the dump of {}", database.name))?;
        statements.rewind()?;
        let mut psql = database.client(&psql)?;
        // One transaction: the database has either all of the backup or what it had.
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
        // Not only what is in the dump: tables that are newer may depend on those.
        psql.args(["--command", "DROP OWNED BY CURRENT_USER CASCADE", "--file=-"]).stdin(statements);
        // A session may have ended since the backup.
        psql.args(["--command", "DELETE FROM public.sessions"]);
        // Customers and logs know the orders after the backup: their numbers must not be used again.
        let numbers = format!("public.{}", database.numbers);
        let skip = format!("SELECT setval('{numbers}', last_value + {NUMBERS_LEFT_OUT}) FROM {numbers}");
        psql.args(["--command", &skip]);
        process::run(&mut psql, WITHIN).await.with_context(|| format!("restoring {}", database.name))?;
    }
    print::out(format_args!(
        "two databases and {copied} models are restored, and all sessions have ended; `reconcile` says what is newer \
         elsewhere"
    ));
    print::out(format_args!(
        "accounts, passwords and keys are those of the backup: repeat what the logs have since then as {} \
         (docs/guarantees.md#back-it-up)",
        WITHDRAWALS.map(Action::name).join(", ")
    ));
    Ok(())
}

fn databases(file: &SystemFile) -> Result<[Database; 2]> {
    let databases = file.running_databases()?;
    Ok([
        Database { name: "shop", numbers: "order_number", url: databases.shop.clone() },
        Database { name: "mes", numbers: "partner_order_number", url: databases.mes.clone() },
    ])
}

impl Database {
    /// A program of PostgreSQL's, connected to this database. The password is not an argument, so it is in no list of
    /// processes.
    fn client(&self, program: &Path) -> Result<Command> {
        let mut url = Url::parse(&self.url).context("the database's address")?;
        let password = url.password().unwrap_or_default().to_owned();
        url.set_password(None).ok().context("the database's address")?;
        let mut command = process::command(program);
        command.env("PGPASSWORD", password).args(["--dbname", url.as_str()]);
        Ok(command)
    }
}

fn model_folder(file: &SystemFile) -> Result<PathBuf> {
    file.model_store_folder.clone().context("the running system has no model store")
}

fn dump_of(folder: &Path, database: &Database) -> PathBuf {
    folder.join(format!("{}.dump", database.name))
}

/// Copies the missing files recursively, for the owner of the folder. Returns their number.
fn copy_models(from: &Path, to: &Path) -> Result<u64> {
    if !to.exists() {
        DirBuilder::new().mode(0o700).create(to).with_context(|| format!("creating {}", to.display()))?;
    }
    // One of the folders is the model store, which is not root's.
    copy_new((from, &OsUser::owner_of(from)?), (to, &OsUser::owner_of(to)?))
}

fn copy_new((from, reader): (&Path, &OsUser), (to, writer): (&Path, &OsUser)) -> Result<u64> {
    let mut copied = 0;
    let items = reader.with_rights(|| fs::read_dir(from)).with_context(|| format!("reading {}", from.display()))?;
    for item in items {
        let item = item?;
        let (kind, source, target) = (item.file_type()?, item.path(), to.join(item.file_name()));
        let is_there = writer.with_rights(|| target.exists());
        if kind.is_dir() {
            if !is_there {
                writer.with_rights(|| DirBuilder::new().mode(0o700).create(&target))?;
            }
            copied += copy_new((&source, reader), (&target, writer))?;
        } else if kind.is_file() && !is_there {
            let mut model = match reader.with_rights(|| File::open(&source)) {
                // A cancelled upload, or a model that was replaced just now.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened.with_context(|| format!("opening {}", source.display()))?,
            };
            // By a draft, because an incomplete file would not be copied again.
            let draft = target.with_extension("draft");
            let copy = || {
                io::copy(&mut model, &mut files::create_private(&draft)?)?;
                fs::rename(&draft, &target)
            };
            writer.with_rights(copy).with_context(|| format!("copying {}", source.display()))?;
            copied += 1;
        }
    }
    Ok(copied)
}
