//! Where everything is kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::host::os_user::Owner;

/// The workspace that this runner was built in.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The folders of one system.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// What the user named by `--data`: `system.json`, the accounts and the lock; readable by that user alone.
    pub(crate) data: PathBuf,
    /// The parts' own data, configuration and logs. Inside `data`, unless the parts' user can't get there.
    pub(crate) parts: PathBuf,
    /// What all systems of this checkout share: Elasticsearch's distribution.
    pub(crate) shared: PathBuf,
}

impl Folders {
    /// Creates the folders that are missing.
    pub(crate) fn create(data: &Path, owner: &Owner) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
        let folders = Self::planned(&data.canonicalize()?, owner);
        if folders.moved() {
            owner.trusts(&folders.parts)?;
            owner.folder(&folders.parts)?;
        }
        owner.trusts(&folders.shared)?;
        for folder in [folders.run(), folders.binaries(), folders.logs(), folders.models()] {
            owner.folder(&folder)?;
        }
        fs::create_dir_all(&folders.shared).with_context(|| format!("creating {}", folders.shared.display()))?;
        Ok(folders)
    }

    /// The folders as they are or would be, without creating any.
    pub(crate) fn planned(data: &Path, owner: &Owner) -> Self {
        Self {
            data: data.to_owned(),
            parts: reachable(data.to_owned(), owner),
            shared: reachable(workspace().join("target/distributions"), owner),
        }
    }

    /// How much can still be stored where the parts' data goes.
    pub(crate) fn free_mib(&self) -> Result<u64> {
        let there = self.parts.ancestors().find(|folder| folder.exists()).context("no folder there")?;
        let space = nix::sys::statvfs::statvfs(there).with_context(|| format!("asking about {}", there.display()))?;
        Ok(space.blocks_available() * space.fragment_size() / (1024 * 1024))
    }

    /// Whether the parts' data had to go elsewhere than the user's data folder.
    pub(crate) fn moved(&self) -> bool {
        self.parts != self.data
    }

    /// One part's own folder.
    pub(crate) fn of(&self, part: &str) -> PathBuf {
        self.parts.join(part)
    }

    /// What only a running system needs: configuration as it was started with, process ids.
    pub(crate) fn run(&self) -> PathBuf {
        self.parts.join("run")
    }

    /// The services' executables as they were started, so that a new build doesn't touch what runs.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.run().join("bin")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.parts.join("logs")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.parts.join("models")
    }

    /// Where a part's output goes that isn't a record for Elasticsearch.
    pub(crate) fn output(&self, part: &str) -> PathBuf {
        self.logs().join(format!("{part}.txt"))
    }

    /// Where the runner before this one kept its process ids.
    pub(crate) fn run_of(data: &Path, owner: &Owner) -> PathBuf {
        Self::planned(data, owner).run()
    }

    /// Removes all data of the parts and the accounts, but not the lock that the caller holds.
    pub(crate) fn clear(data: &Path, owner: &Owner) -> Result<()> {
        let Self { parts, .. } = Self::planned(data, owner);
        for folder in [data, &parts] {
            let Ok(items) = fs::read_dir(folder) else { continue };
            for item in items.flatten().filter(|item| item.file_name() != crate::host::lock::FILE) {
                let path = item.path();
                let removed =
                    if item.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.with_context(|| format!("removing {}", path.display()))?;
            }
        }
        if parts != data && parts.exists() {
            fs::remove_dir_all(&parts).with_context(|| format!("removing {}", parts.display()))?;
        }
        Ok(())
    }
}

/// `wanted`, or a folder in its stead under /var/tmp if the parts' user can't get to it.
fn reachable(wanted: PathBuf, owner: &Owner) -> PathBuf {
    if owner.reaches(&wanted) {
        return wanted;
    }
    let name = format!("alexandrite-{:016x}", fingerprint(wanted.as_os_str().as_encoded_bytes()));
    Path::new("/var/tmp").join(name)
}

/// FNV-1a: the same for the same bytes in every build, which is all that a folder's name needs.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
