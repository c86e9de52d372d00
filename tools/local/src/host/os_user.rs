//! The operating system's user that the parts run as. PostgreSQL and Elasticsearch refuse root, so root starts all
//! parts as a system user of their own; every other user starts them as itself.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Gid, Uid, User, chown, setfsgid, setfsuid};
use tokio::process::Command;

use crate::host::{files, process};

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

    /// The user that this file, folder or link belongs to. Only root can act as another user than itself.
    pub(crate) fn owner_of(path: &Path) -> io::Result<Self> {
        let owner = fs::symlink_metadata(path)?;
        let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        Ok(Self { name: uid.to_string(), uid, gid, other: Uid::effective().is_root() && !uid.is_root() })
    }

    /// Does this with the user's rights to files. In a folder of the user's, root must not use its own rights: the user's
    /// processes may have put a link in the place of a file or folder, which would lead root where the user can't go. What is
    /// created belongs to the user.
    pub(crate) fn with_rights<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.other {
            return work();
        }
        // For this thread alone.
        let before = (setfsuid(self.uid), setfsgid(self.gid));
        let done = work();
        setfsuid(before.0);
        setfsgid(before.1);
        done
    }

    /// Makes `command` run as this user.
    pub(crate) fn run_as(&self, command: &mut Command) {
        if self.other {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
    }

    /// Makes this user the owner of a file or folder, but not of a folder's content. Only in a folder of another user's.
    pub(crate) fn chown(&self, path: &Path) -> io::Result<()> {
        if self.other {
            chown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// Opens a file to add to it, or creates it. A link is an error.
    pub(crate) fn open_log(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).custom_flags(libc::O_NOFOLLOW);
        self.with_rights(|| options.open(path))
    }

    /// Replaces a file atomically by one that only this user can read.
    pub(crate) fn write_file(&self, path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
        self.with_rights(|| files::write_private(path, content))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A folder of a user that is another one than root, with its owner and a file of the current user's beside it.
    fn folder_of_another(name: &str) -> Result<(PathBuf, OsUser, PathBuf)> {
        let folder = std::env::temp_dir().join(format!("alexandrite-{name}-{}", std::process::id()));
        let (users, others) = (folder.join("users"), folder.join("others"));
        fs::create_dir_all(&users)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        fs::write(&others, "kept")?;
        if Uid::effective().is_root() {
            chown(&users, Some(Uid::from_raw(1234)), Some(Gid::from_raw(1234)))?;
        }
        let owner = OsUser::owner_of(&users)?;
        Ok((folder, owner, others))
    }

    #[test]
    fn a_link_in_the_place_of_a_log_is_an_error() -> Result<()> {
        let (folder, user, others) = folder_of_another("log")?;
        let (log, link) = (folder.join("users/log.txt"), folder.join("users/link.txt"));
        symlink(&others, &link)?;

        assert!(user.open_log(&link).is_err());
        user.open_log(&log)?;
        user.open_log(&log)?;

        assert_eq!(fs::metadata(&others)?.uid(), Uid::effective().as_raw());
        assert_eq!(fs::metadata(&log)?.uid(), user.uid.as_raw());
        Ok(fs::remove_dir_all(folder)?)
    }

    #[test]
    fn a_link_in_the_place_of_a_draft_is_not_followed() -> Result<()> {
        let (folder, user, others) = folder_of_another("draft")?;
        let (path, draft) = (folder.join("users/file.txt"), folder.join("users/file.draft"));
        symlink(&others, &draft)?;

        user.write_file(&path, "new")?;

        assert_eq!(fs::read_to_string(&others)?, "kept");
        let written = fs::symlink_metadata(&path)?;
        assert!(written.is_file());
        assert_eq!((written.uid(), written.permissions().mode() & 0o777), (user.uid.as_raw(), 0o600));
        Ok(fs::remove_dir_all(folder)?)
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_leads_root_only_where_the_user_can_go() -> Result<()> {
        let (folder, user, others) = folder_of_another("link")?;
        symlink(&folder, folder.join("users/link"))?;
        let through_link = folder.join("users/link/others");

        let (logged, written) = (user.open_log(&through_link).is_ok(), user.write_file(&through_link, "new").is_ok());

        // It is where the current user can go.
        assert_eq!((logged, written), (!user.other, !user.other));
        assert_eq!(fs::read_to_string(&others)? == "kept", user.other);
        fs::write(&others, "root has its own rights again")?;
        Ok(fs::remove_dir_all(folder)?)
    }
}
