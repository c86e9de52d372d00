//! `prepare`: renews the committed descriptions of all queries (`.sqlx`), against a PostgreSQL with the schemas of both
//! databases that is started for this.
//!
//! The macros look for a query's description in their crate's own `.sqlx` first and in the workspace's second. Shop and
//! CRM share one database and the workspace's folder; the MES has a folder of its own, so that the same text may mean
//! different columns in the two databases. All queries are in libraries, which `tests/tests/architecture.rs` holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::process::Command;

use crate::host::folders::{Folders, workspace};
use crate::host::{os_user::OsUser, ports, process, secret, stop::StopRequests, supervisor::Supervisor};
use crate::parts::{kind::Kind, needs, needs::Need, postgres::Postgres};
use crate::terminal::{
    print,
    progress::{Line, Progress},
};

/// One database, and the crates whose libraries' queries are checked against it.
struct Database {
    name: &'static str,
    variable: &'static str,
    /// Folders of migrations, in the order in which they are applied.
    migrations: &'static [&'static str],
    crates: &'static [&'static str],
    /// A program that they are part of.
    program: &'static str,
    /// The folder of the committed descriptions.
    folder: &'static str,
}

const DATABASES: [Database; 2] = [
    Database {
        name: "shop",
        variable: "SHOP_DATABASE_URL",
        migrations: &["common/migrations", "shop-orders/migrations"],
        crates: &["common", "shop-orders"],
        program: "shop-api",
        folder: ".sqlx",
    },
    Database {
        name: "mes",
        variable: "MES_DATABASE_URL",
        migrations: &["common/migrations", "mes-api/migrations"],
        crates: &["mes-api"],
        program: "mes-api",
        folder: "mes-api/.sqlx",
    },
];

/// Renews the descriptions. With `check`, only prints what would change and fails if anything would.
pub(crate) async fn prepare(check: bool, requests: &mut StopRequests) -> Result<()> {
    let user = OsUser::find_or_create().await?;
    let progress = Progress::new();
    let scratch = Scratch::create(user)?;
    needs::ensure(&Need::of(&[Kind::Postgres], &scratch.folders), &progress).await?;
    let line = progress.line("postgres");
    let (supervisor, _failures) = Supervisor::new(&scratch.folders, progress);
    let outcome = tokio::select! {
        outcome = describe_all(&supervisor, &scratch, &line, check) => outcome,
        name = requests.next() => Err(anyhow!("stopped by {name}")),
    };
    supervisor.stop().await;
    outcome
}

/// A folder that is removed when this value is dropped.
struct Scratch {
    root: PathBuf,
    folders: Folders,
}

impl Scratch {
    fn create(user: OsUser) -> Result<Self> {
        let root = workspace().join(format!("target/prepare-{}", std::process::id()));
        fs::create_dir_all(&root)?;
        let folders = Folders::new(&root.canonicalize()?, user);
        folders.create()?;
        Ok(Self { root, folders })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that stays in target/ does no harm.
        let _ = fs::remove_dir_all(&self.folders.parts);
        let _ = fs::remove_dir_all(&self.root);
    }
}

async fn describe_all(supervisor: &Supervisor, scratch: &Scratch, line: &Line, check: bool) -> Result<()> {
    let port = ports::free()?;
    let postgres = Postgres::new(&scratch.folders, port.release(), &secret::random()?, true, None, line).await?;
    postgres.set_up().await?;
    supervisor.start(postgres.part()).await?;
    for database in &DATABASES {
        postgres.create_database(database.name, "postgres").await?;
        for folder in database.migrations {
            for file in migrations(&workspace().join(folder))? {
                let what = || format!("applying {} to `{}`", file.display(), database.name);
                postgres.apply(database.name, &file).await.with_context(what)?;
            }
        }
    }
    let mut complete = true;
    let mut changes = Vec::new();
    for database in &DATABASES {
        let new = scratch.root.join(database.name);
        fs::create_dir_all(&new)?;
        // The queries that compile are renewed even if a crate doesn't compile, but none counts as stale then.
        let checked = describe(database, &postgres, &new).await;
        if let Err(error) = &checked {
            complete = false;
            print::err(format_args!("{error:#}"));
        }
        changes.extend(renew(&workspace().join(database.folder), &new, checked.is_ok(), check)?);
    }
    for change in &changes {
        print::out(change);
    }
    match (complete, check, changes.len()) {
        (false, _, _) => bail!("not every crate compiles against the database, so the descriptions are not complete"),
        (true, true, 1..) => bail!("the committed descriptions are out of date: `cargo run -- prepare` renews them"),
        (true, _, 0) => print::out("The descriptions of all queries are up to date."),
        (true, false, count) => print::out(format_args!("{count} descriptions of queries renewed.")),
    }
    Ok(())
}

/// A folder's migrations by their version, the number at the beginning of the name.
fn migrations(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(items) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for path in items.flatten().map(|item| item.path()).filter(|path| path.extension().is_some_and(|end| end == "sql"))
    {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let version = name.split('_').next().and_then(|version| version.parse::<i64>().ok());
        files.push((version.with_context(|| format!("{} has no version number", path.display()))?, path));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Compiles the libraries of one database. Their macros write the descriptions into `folder`.
async fn describe(database: &Database, postgres: &Postgres, folder: &Path) -> Result<()> {
    // Makes cargo compile them again: it doesn't know that the macros depend on the database. A source with a new time would
    // do that as well, but also in the folders of builds that go on at the same time.
    let packages = database.crates.iter().flat_map(|name| ["--package", name]);
    process::run(cargo("clean").args(packages), Duration::from_secs(60)).await?;
    // By the workspace's features, as the tests are built: nothing else is compiled where they were.
    let mut build = cargo("build");
    build.args(["--keep-going", "--workspace", "--bin", database.program]);
    build.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", folder);
    build.env(database.variable, postgres.superuser_url(database.name));
    process::run_visibly(&mut build).await
}

fn cargo(command: &str) -> Command {
    let mut cargo = process::command("cargo");
    cargo.args([command, "--quiet"]).current_dir(workspace());
    cargo
}

/// Updates the committed folder and returns a line per change; with `check`, only the lines.
fn renew(committed: &Path, new: &Path, complete: bool, check: bool) -> Result<Vec<String>> {
    let (old, new) = (contents(committed)?, contents(new)?);
    let mut changes = Vec::new();
    for (name, content) in &new {
        let verb = match old.get(name) {
            None => "new",
            Some(old) if old != content => "changed",
            Some(_) => continue,
        };
        changes.push(format!("{verb}: {}", committed.join(name).display()));
        if !check {
            fs::create_dir_all(committed)?;
            fs::write(committed.join(name), content)?;
        }
    }
    for name in old.keys().filter(|name| complete && !new.contains_key(*name)) {
        changes.push(format!("stale: {}", committed.join(name).display()));
        if !check {
            fs::remove_file(committed.join(name))?;
        }
    }
    Ok(changes)
}

fn contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let Ok(items) = fs::read_dir(folder) else {
        return Ok(BTreeMap::new());
    };
    let named = items.flatten().filter_map(|item| Some((item.file_name().into_string().ok()?, item.path())));
    let queries = named.filter(|(name, _)| name.starts_with("query-") && name.ends_with(".json"));
    queries.map(|(name, path)| Ok((name, fs::read(path)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new folder with these files, each of which contains its own name.
    fn folder(name: &str, files: &[&str]) -> Result<PathBuf> {
        let folder = std::env::temp_dir().join(format!("alexandrite-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        for file in files {
            fs::write(folder.join(file), file)?;
        }
        Ok(folder)
    }

    #[test]
    fn migrations_are_applied_by_number_and_not_by_name() -> Result<()> {
        let folder = folder("migrations", &["10_late.sql", "9_early.sql", "0008_first.sql", "README.md"])?;
        let names: Vec<_> =
            migrations(&folder)?.iter().map(|file| file.strip_prefix(&folder).map(Path::to_owned)).collect();
        fs::remove_dir_all(&folder)?;
        let names: Vec<PathBuf> = names.into_iter().collect::<Result<_, _>>()?;
        assert_eq!(names, ["0008_first.sql", "9_early.sql", "10_late.sql"].map(PathBuf::from));
        Ok(())
    }

    #[test]
    fn stale_descriptions_go_only_when_every_query_was_seen() -> Result<()> {
        let committed = folder("committed", &["query-old.json", "query-same.json", "notes.txt"])?;
        let new = folder("new", &["query-same.json", "query-new.json"])?;

        assert_eq!(renew(&committed, &new, true, true)?.len(), 2, "a check counts what is new and what is stale");
        assert_eq!(contents(&committed)?.len(), 2, "a check changes nothing");
        assert_eq!(renew(&committed, &new, false, false)?.len(), 1);
        assert_eq!(contents(&committed)?.len(), 3, "nothing is removed after an incomplete run");
        assert_eq!(renew(&committed, &new, true, false)?.len(), 1);
        assert_eq!(contents(&committed)?, contents(&new)?);
        assert!(committed.join("notes.txt").exists());

        fs::remove_dir_all(&committed)?;
        Ok(fs::remove_dir_all(&new)?)
    }
}
