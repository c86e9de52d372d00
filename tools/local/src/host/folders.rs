//! The folders of a system.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::host::{lock, os_user::OsUser};

/// A file of this name in a data folder prevents that the folder is removed when the system stops.
pub(crate) const KEEP: &str = "keep";

/// Below the workspace: what is downloaded once for all systems.
const SHARED: &str = "target/distributions";

/// The workspace that this program was built in.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The name of the Cargo profile whose programs are in this folder.
pub fn cargo_profile(folder: &Path) -> &str {
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    }
}

/// The folders of one system, and the user that owns those of the parts.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    pub(crate) user: OsUser,
    /// The value of `--data`: `system.json`, the accounts and the lock; only the current user can read them.
    pub(crate) data: PathBuf,
    /// The parts' data, configuration and logs. The same as `data`, unless `user` can't get there.
    pub(crate) parts: PathBuf,
    /// What was downloaded, shared by all systems of this checkout.
    pub(crate) shared: PathBuf,
}

impl Folders {
    /// The folders as they are or would be. Creates none.
    pub(crate) fn new(data: &Path, user: OsUser) -> Self {
        Self { data: data.to_owned(), parts: reachable(data.to_owned(), &user), shared: shared(&user), user }
    }

    /// Creates the folders that are missing.
    pub(crate) fn create(&self) -> Result<()> {
        if self.moved() {
            self.user.check_owner_of(&self.parts)?;
            self.create_folder(&self.parts)?;
        }
        for folder in [self.run(), self.binaries(), self.logs(), self.models()] {
            self.create_folder(&folder)?;
        }
        shared_folder(&self.user).map(drop)
    }

    /// Creates one of the parts' folders, or one in it, that only their user can read.
    pub(crate) fn create_folder(&self, path: &Path) -> Result<()> {
        let create = || match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::set_permissions(path, Permissions::from_mode(0o700))
            }
            created => created,
        };
        // Not the user's folder: the user can't create one in it, nor put a link there.
        let created = if path.parent() == Some(&self.data) {
            create().and_then(|()| self.user.chown(path))
        } else {
            self.user.with_rights(create)
        };
        created.with_context(|| format!("creating {}", path.display()))
    }

    /// The free space for the parts' data.
    pub(crate) fn free_mib(&self) -> Result<u64> {
        let folder = self.parts.ancestors().find(|folder| folder.exists()).context("no folder there")?;
        let space = nix::sys::statvfs::statvfs(folder).with_context(|| format!("asking about {}", folder.display()))?;
        Ok(space.blocks_available() * space.fragment_size() / (1024 * 1024))
    }

    /// Whether the parts' data is outside the data folder.
    pub(crate) fn moved(&self) -> bool {
        self.parts != self.data
    }

    /// One part's own folder.
    pub(crate) fn of(&self, part: &str) -> PathBuf {
        self.parts.join(part)
    }

    /// Process ids, and the files that a running system needs.
    pub(crate) fn run(&self) -> PathBuf {
        self.parts.join("run")
    }

    /// Copies of the services' executables, so that a new build doesn't change a running system.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.run().join("bin")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.parts.join("logs")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.parts.join("models")
    }

    /// The file for a part's output that isn't a record for Elasticsearch.
    pub(crate) fn output(&self, part: &str) -> PathBuf {
        self.logs().join(format!("{part}.txt"))
    }

    /// Removes all data of the parts and the accounts, but not the lock, which this process holds.
    pub(crate) fn clear(&self) -> Result<()> {
        let items = fs::read_dir(&self.data).into_iter().flatten().flatten();
        for item in items.filter(|item| item.file_name() != lock::FILE) {
            let path = item.path();
            let removed = if item.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
        if self.moved() && self.parts.exists() {
            fs::remove_dir_all(&self.parts).with_context(|| format!("removing {}", self.parts.display()))?;
        }
        Ok(())
    }
}

/// The folder of what is downloaded once for all systems. It is created if it is missing.
pub(crate) fn shared_folder(user: &OsUser) -> Result<PathBuf> {
    let shared = shared(user);
    user.check_owner_of(&shared)?;
    fs::create_dir_all(&shared).with_context(|| format!("creating {}", shared.display()))?;
    Ok(shared)
}

fn shared(user: &OsUser) -> PathBuf {
    reachable(workspace().join(SHARED), user)
}

/// The folder of unpacked packages, for another user than root. It may not exist.
pub(crate) fn packages() -> PathBuf {
    workspace().join(SHARED).join("packages")
}

/// `wanted`, or a folder under /var/tmp in its place if the user can't reach it.
fn reachable(wanted: PathBuf, user: &OsUser) -> PathBuf {
    if user.can_reach(&wanted) {
        return wanted;
    }
    let name = format!("alexandrite-{:016x}", fingerprint(wanted.as_os_str().as_encoded_bytes()));
    Path::new("/var/tmp").join(name)
}

/// FNV-1a: stable across builds, unlike the standard library's hashers.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
