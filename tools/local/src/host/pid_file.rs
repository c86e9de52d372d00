//! Files with the process ids of the running parts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::host::{os_user::OsUser, process_table};

/// The file for a part in this folder.
pub(crate) fn path(folder: &Path, part: &str) -> PathBuf {
    folder.join(format!("{part}.pid"))
}

/// Writes the process's id and start into a file of this user's.
pub(super) fn write(user: &OsUser, path: &Path, pid: i32) -> Result<()> {
    let started = process_table::entry(pid).map_or(0, |entry| entry.started);
    user.write_file(path, format!("{pid} {started}\n"))
}

/// The process's id and start.
pub(crate) fn read(path: &Path) -> Result<(i32, u64)> {
    let content = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (pid, started) = content.trim().split_once(' ').with_context(|| format!("no id in {}", path.display()))?;
    Ok((pid.parse()?, started.parse()?))
}
