//! The operating system's user that the parts run as. PostgreSQL and Elasticsearch refuse root, so root starts all
//! parts as a system user of their own; every other user starts them as itself.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Gid, Uid, User, chown};
use tokio::process::Command;

use crate::host::process;

const SYSTEM_USER: &str = "alexandrite";

/// The user that owns the parts' processes and files.
#[derive(Clone, Debug)]
pub(crate) struct OsUser {
    pub(crate) name: String,
    uid: Uid,
    gid: Gid,
    /// Whether this is another user than the one who runs this process.
    other: bool,
}

impl OsUser {
    /// The current user, or for root the system user `alexandrite`, which is created if it is missing.
    pub(crate) async fn find_or_create() -> Result<Self> {
        if Uid::effective().is_root() && User::from_name(SYSTEM_USER)?.is_none() {
            let mut useradd = process::command("useradd");
            useradd.args(["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]);
            useradd.args(["--shell", "/usr/sbin/nologin", SYSTEM_USER]);
            process::run(&mut useradd, Duration::from_secs(30)).await.context("creating the system user")?;
        }
        Self::find()
    }

    /// Like [`find_or_create`](Self::find_or_create), but creates no user.
    pub(crate) fn find() -> Result<Self> {
        let current = Uid::effective();
        let (name, ids) = if current.is_root() {
            (SYSTEM_USER.to_owned(), User::from_name(SYSTEM_USER)?.map(|user| (user.uid, user.gid)))
        } else {
            (User::from_uid(current)?.map_or_else(|| current.to_string(), |user| user.name), None)
        };
        let (uid, gid) = ids.unwrap_or((current, Gid::effective()));
        Ok(Self { name, uid, gid, other: ids.is_some() })
    }

    /// Makes `command` run as this user.
    pub(crate) fn run_as(&self, command: &mut Command) {
        if self.other {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
    }

    /// Makes this user the owner of a file or folder, but not of a folder's content.
    pub(crate) fn chown(&self, path: &Path) -> Result<()> {
        if self.other {
            chown(path, Some(self.uid), Some(self.gid))
                .with_context(|| format!("changing the owner of {}", path.display()))?;
        }
        Ok(())
    }

    /// Creates a folder, with all above it, that only this user can read.
    pub(crate) fn create_folder(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
        self.chown(path)?;
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path, private).with_context(|| format!("closing {} to others", path.display()))
    }

    /// Replaces a file atomically by one that only this user can read.
    pub(crate) fn write_file(&self, path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
        let draft = path.with_extension("draft");
        let write = || {
            fs::write(&draft, "")?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
            fs::write(&draft, content.as_ref())
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        self.chown(&draft)?;
        fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
    }

    /// Fails if `path` exists and is not a folder of this user, the current user or root: in a folder that is open to
    /// all, another user may have created it.
    pub(crate) fn check_owner_of(&self, path: &Path) -> Result<()> {
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        let ours = [self.uid, Uid::effective(), Uid::from_raw(0)].iter().any(|user| user.as_raw() == found.uid());
        ensure!(found.is_dir() && ours, "{} belongs to another user", path.display());
        Ok(())
    }

    /// Whether this user can get to `path`, as far as it exists: all folders above it permit the passage.
    pub(crate) fn can_reach(&self, path: &Path) -> bool {
        !self.other
            || path.ancestors().filter_map(|folder| fs::metadata(folder).ok()).all(|folder| {
                let mode = folder.mode();
                let through = if folder.uid() == self.uid.as_raw() {
                    0o100
                } else if folder.gid() == self.gid.as_raw() {
                    0o010
                } else {
                    0o001
                };
                mode & through != 0
            })
    }
}
