//! Files and programs of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Finds a program in `PATH` or in the folders of system administration, which `PATH` often lacks.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Creates a file that only this user can read, in the place of one that is there. A link is replaced, too, and not followed.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    // If it stays, the next line fails.
    let _ = fs::remove_file(path);
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Replaces a file atomically by one that only this user can read.
pub(crate) fn write_private(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let draft = path.with_extension("draft");
    let write = || {
        create_private(&draft)?.write_all(content.as_ref())?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
