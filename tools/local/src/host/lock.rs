//! The lock of a data folder: one runner at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::host::process::POLL;

/// The lock's file name in the data folder.
pub(crate) const FILE: &str = "lock";
/// A process that was killed holds its lock until the kernel has taken it down.
const WITHIN: Duration = Duration::from_secs(2);

/// The lock, held until this value is dropped. The kernel releases it even if the process is killed.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the data folder for this process; the error names the process that holds it.
    pub(crate) async fn take(data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
        let path = data.join(FILE);
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.with_context(|| format!("opening {}", path.display()))?;
        let deadline = Instant::now() + WITHIN;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                bail!(
                    "process {} is running the system in {} already: stop it first, or give this one a folder of its \
                     own with --data",
                    holder.trim(),
                    data.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking the data folder"),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
