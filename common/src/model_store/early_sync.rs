//! Brings a model to the disk while further bytes of it arrive, so that little is left for its last sync.

use std::{fs::File, path::PathBuf};

use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that are brought to the disk at a time.
const SYNCED_AT_ONCE: u64 = 8 * 1024 * 1024;

/// The file of a model that is on its way.
pub(super) struct EarlySync {
    /// None if the store is no folder.
    partial: Option<PathBuf>,
    unsynced: u64,
    under_way: Option<JoinHandle<()>>,
}

impl EarlySync {
    pub(super) const fn new(partial: Option<PathBuf>) -> Self {
        Self { partial, unsynced: 0, under_way: None }
    }

    /// Begins a sync if so many bytes have come since the last one, and it is done.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.unsynced += bytes;
        let is_free = self.under_way.as_ref().is_none_or(JoinHandle::is_finished);
        if let Some(partial) = self.partial.as_ref().filter(|_| is_free && self.unsynced >= SYNCED_AT_ONCE) {
            let partial = partial.clone();
            self.unsynced = 0;
            self.under_way = Some(spawn_blocking(move || {
                // The last sync is the store's, over a descriptor of its own, which sees an error that this one sees (fsync(2)).
                let _ = File::open(partial).and_then(|file| file.sync_data());
            }));
        }
    }
}
