//! Files and programs of this machine.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Finds a program in `PATH` or in the folders of system administration, which `PATH` often lacks.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Replaces a file atomically by one that only this user can read.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{content}")?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
