//! Downloads of servers and programs as their registries have them, each checked and unpacked once for all systems of
//! this checkout.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::host::package_root::program;
use crate::host::{files, packages, process};
use crate::parts::java;
use crate::terminal::progress::Line;

/// The limit for one download.
const WITHIN: Duration = Duration::from_secs(1800);

/// The oldest major version of Java that Maven runs with.
const MAVENS_JAVA: u32 = 8;

/// What can be downloaded.
#[derive(Debug)]
pub(crate) struct Distribution {
    /// With the version, as people call it.
    pub(crate) title: String,
    /// The name of the folder for its content, with the version.
    pub(crate) folder: String,
    pub(crate) source: Source,
    /// The archive's SHA-256 in hexadecimal digits. A registry may change what it has.
    pub(crate) sha256: &'static str,
    /// Unpacks an archive into a folder, and returns the folder of the content in it.
    pub(crate) unpack: fn(&Path, &Path) -> Result<PathBuf>,
}

/// Where an archive is, by the configuration of the registry's own client.
#[derive(Debug)]
pub(crate) enum Source {
    /// A group, an artifact, a version and a type, joined by colons.
    Maven(String),
    /// A package and its version, joined by `==`.
    Pip(String),
}

impl Distribution {
    /// The folder of the content, also before the download.
    pub(crate) fn content(&self, shared: &Path) -> PathBuf {
        shared.join(&self.folder)
    }

    /// Returns the folder of the content. What is missing is downloaded into `shared`.
    pub(crate) async fn provide(&self, shared: &Path, line: &Line) -> Result<PathBuf> {
        let wanted = self.content(shared);
        if wanted.exists() {
            return Ok(wanted);
        }
        // Two systems may start at the same time.
        let lock = File::create(shared.join(format!("{}.lock", self.folder))).context("locking a distribution")?;
        let _lock =
            tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await?.context("waiting for a lock")?;
        if wanted.exists() {
            return Ok(wanted);
        }
        let draft = shared.join(format!("{}.draft", self.folder));
        let _ = fs::remove_dir_all(&draft);
        fs::create_dir_all(&draft)?;
        line.now(format!("downloading {}", self.title));
        let archive = self.source.download(&draft).await.with_context(|| format!("downloading {}", self.title))?;
        line.now(format!("unpacking {}", self.title));
        let content = tokio::task::spawn_blocking({
            let (draft, sha256, unpack) = (draft.clone(), self.sha256, self.unpack);
            move || {
                check(&archive, sha256)?;
                unpack(&archive, &draft)
            }
        });
        let content = content.await?.with_context(|| format!("unpacking {}", self.title))?;
        fs::rename(content, &wanted).context("moving the distribution")?;
        fs::remove_dir_all(&draft)?;
        Ok(wanted)
    }
}

impl Source {
    /// Downloads the archive into an empty folder and returns its path.
    async fn download(&self, folder: &Path) -> Result<PathBuf> {
        match self {
            Self::Maven(artifact) => {
                let mut maven = process::command(program("mvn").context("Maven is not installed")?);
                // Not with `--strict-checksums`: it fails where a mirror has no checksum, and the archive's own is checked.
                maven.args(["-B", "-q", "dependency:copy"]);
                maven.arg(format!("-Dartifact={artifact}")).arg(format!("-DoutputDirectory={}", folder.display()));
                // Without a Java in `PATH`, Maven wants to be told of one.
                if let (None, Some(java)) = (files::program("java"), java::find(MAVENS_JAVA, |_| true)) {
                    maven.env("JAVA_HOME", java.home);
                }
                process::run(maven.current_dir(folder), WITHIN).await?;
            }
            Self::Pip(requirement) => {
                let mut pip = process::command(packages::provide("pip3", "python3-pip").await?);
                pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
                pip.args(["--only-binary", ":all:", "--dest", "."]).arg(requirement);
                process::run(pip.current_dir(folder), WITHIN).await?;
            }
        }
        let file = fs::read_dir(folder)?.next().context("nothing was downloaded")?;
        Ok(file?.path())
    }
}

fn check(archive: &Path, expected: &str) -> Result<()> {
    let (mut hash, mut file, mut buffer) = (Sha256::new(), File::open(archive)?, vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(found == expected, "{} has the SHA-256 {found}, and not {expected}", archive.display());
    Ok(())
}

/// Unpacks a zip archive so that all users can read its content.
pub(crate) fn unzip(archive: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(archive)?)?;
    archive.extract(folder)?;
    for name in archive.file_names() {
        let path = folder.join(&*name?);
        let mode = fs::metadata(&path)?.permissions().mode();
        let for_all = if mode & 0o100 == 0 { 0o444 } else { 0o555 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | for_all))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_with_another_checksum_is_refused() -> Result<()> {
        const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let archive = std::env::temp_dir().join(format!("alexandrite-archive-{}", std::process::id()));
        fs::write(&archive, "abc")?;
        let right = check(&archive, OF_ABC);
        fs::write(&archive, "abcd")?;
        let wrong = check(&archive, OF_ABC);
        fs::remove_file(&archive)?;
        right?;
        assert!(wrong.is_err_and(|error| error.to_string().contains(OF_ABC)));
        Ok(())
    }
}
