//! The download of Elasticsearch's distribution for integration tests from Maven Central.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::host::{files::program, folders::Folders, process};
use crate::parts::elasticsearch::{VERSION, distribution_folder};
use crate::terminal::progress::Line;

/// Downloads the distribution into its folder, unless it is there. Maven runs with the Java in `java_home` if `PATH`
/// has none.
pub(crate) async fn download(folders: &Folders, java_home: &Path, line: &Line) -> Result<()> {
    let wanted = distribution_folder(folders);
    if wanted.exists() {
        return Ok(());
    }
    // Two systems may start at the same time.
    let lock = File::create(folders.shared.join("lock")).context("locking the folder of distributions")?;
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await?.context("waiting for a lock")?;
    if wanted.exists() {
        return Ok(());
    }
    let draft = folders.shared.join(format!("draft-{}", std::process::id()));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(&draft)?;
    line.now(format!("downloading Elasticsearch {VERSION} with Maven"));
    let mut maven = process::command(program("mvn").context("Maven is not installed")?);
    let artifact = format!("org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip");
    maven.args(["-B", "-q", "dependency:copy", "-Dmdep.stripVersion=true"]).arg(format!("-Dartifact={artifact}"));
    maven.arg(format!("-DoutputDirectory={}", draft.display())).current_dir(&draft);
    if program("java").is_none() {
        maven.env("JAVA_HOME", java_home);
    }
    let downloaded = process::run(&mut maven, Duration::from_secs(1800)).await;
    downloaded.with_context(|| format!("downloading {artifact}"))?;
    line.now(format!("unpacking Elasticsearch {VERSION}"));
    tokio::task::spawn_blocking({
        let draft = draft.clone();
        move || unpack(&draft.join("elasticsearch.zip"), &draft)
    })
    .await?
    .context("unpacking the distribution")?;
    fs::rename(draft.join(format!("elasticsearch-{VERSION}")), &wanted).context("moving the distribution")?;
    Ok(fs::remove_dir_all(&draft)?)
}

/// Unpacks the archive so that all users can read its content.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
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
