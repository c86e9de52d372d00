//! `backup` and `restore`: the two databases, as files of `pg_dump`, and the models.
//!
//! A backup is taken while the system runs. Models are copied before and after the databases, because an order in a dump
//! needs its model, and models never change. The databases are dumped one after the other, the shop's first, so they are
//! not of the same moment: after a restore, `reconcile` says what one of them, or the log, has in addition.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::clients::database;
use crate::host::process;
use crate::parts::postgres_programs::client;
use crate::system::system_file::SystemFile;
use crate::terminal::print;

/// The limit for a dump of one database; a larger database needs another tool.
const WITHIN: Duration = Duration::from_secs(3600);
/// The gap in the order numbers, above the number of orders between a backup and its restore.
const NUMBERS_LEFT_OUT: u32 = 1_000_000;
const MODELS: &str = "models";

/// Writes a backup of the running system into a new or empty folder.
pub(crate) async fn backup(data: &Path, to: &Path) -> Result<()> {
    let file = SystemFile::read(data)?;
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    ensure!(fs::read_dir(to)?.next().is_none(), "{} is not empty", to.display());
    let models = model_folder(&file)?;
    let pg_dump = client("pg_dump").await?;
    let mut copied = copy_new(&models, &to.join(MODELS))?;
    for (name, url) in databases(&file)? {
        let mut dump = process::command(&pg_dump);
        dump.args(["--format=custom", "--no-owner", "--file"]).arg(dump_of(to, name)).args(["--dbname", &url]);
        process::run(&mut dump, WITHIN).await.with_context(|| format!("dumping {name}"))?;
    }
    copied += copy_new(&models, &to.join(MODELS))?;
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
    for (name, _) in &databases {
        ensure!(dump_of(from, name).is_file(), "{} is missing", dump_of(from, name).display());
    }
    let pg_restore = client("pg_restore").await?;
    // Before the orders that need them.
    let copied = copy_new(&from.join(MODELS), &model_folder(&file)?)?;
    for (name, url) in databases {
        let mut restore = process::command(&pg_restore);
        restore.args(["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]);
        restore.args(["--dbname", &url]).arg(dump_of(from, name));
        process::run(&mut restore, WITHIN).await.with_context(|| format!("restoring {name}"))?;
        // Customers and logs know the orders after the backup: their numbers must not be used again.
        let sequence = if name == "shop" { "order_number" } else { "partner_order_number" };
        let skip = format!("SELECT setval('{sequence}', last_value + {NUMBERS_LEFT_OUT}) FROM {sequence}");
        database::execute(&url, skip).await.with_context(|| format!("leaving numbers of {name} out"))?;
    }
    print::out(format_args!(
        "two databases and {copied} models are restored; `reconcile` says what is newer elsewhere"
    ));
    Ok(())
}

fn databases(file: &SystemFile) -> Result<[(&'static str, String); 2]> {
    let databases = file.running_databases()?;
    Ok([("shop", databases.shop.clone()), ("mes", databases.mes.clone())])
}

fn model_folder(file: &SystemFile) -> Result<PathBuf> {
    file.model_store_folder.clone().context("the running system has no model store")
}

fn dump_of(folder: &Path, database: &str) -> PathBuf {
    folder.join(format!("{database}.dump"))
}

/// Copies the missing files recursively, for the owner of the folder. Returns their number.
fn copy_new(from: &Path, to: &Path) -> Result<u64> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let owner = fs::metadata(to)?;
    let chown_to_owner = |path: &Path| chown(path, Some(owner.uid()), Some(owner.gid()));
    let mut copied = 0;
    for item in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let (source, target) = {
            let item = item?;
            (item.path(), to.join(item.file_name()))
        };
        if source.is_dir() {
            if !target.exists() {
                fs::create_dir(&target)?;
                chown_to_owner(&target)?;
            }
            copied += copy_new(&source, &target)?;
        } else if !target.exists() {
            // By a draft, because an incomplete file would not be copied again.
            let draft = target.with_extension("draft");
            match fs::copy(&source, &draft) {
                // A cancelled upload, or a model that was replaced just now.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                copied => copied.with_context(|| format!("copying {}", source.display()))?,
            };
            chown_to_owner(&draft)?;
            fs::rename(&draft, &target)?;
            copied += 1;
        }
    }
    Ok(copied)
}
