//! Whether the disk has room for what comes in.
//!
//! What is in must still be worked off, and that writes too: verdicts, answers, the folding of the WAL into
//! the file. So what comes in is refused before the disk is full, and the rest goes on.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::fs::statvfs;

use super::StoreError;

/// How often the disk is looked at when nobody writes.
const EVERY: Duration = Duration::from_secs(1);

/// The disk that the database is on, as it was when last looked at.
pub(super) struct Space {
    folder: PathBuf,
    free_min_bytes: u64,
    free_bytes: AtomicU64,
}

impl Space {
    /// Looks for the first time at the disk that this folder is on. Of the space there, `free_min_bytes` are not for
    /// what comes in.
    pub(super) fn in_folder(folder: PathBuf, free_min_bytes: u64) -> Space {
        let space = Space {
            folder,
            free_min_bytes,
            free_bytes: AtomicU64::new(u64::MAX),
        };
        space.look();
        space
    }

    /// Bytes that are free for a program without privileges.
    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Relaxed)
    }

    /// Why nothing more may come in; `None`: it may.
    pub(super) fn little(&self) -> Option<StoreError> {
        let free_bytes = self.free_bytes();
        (free_bytes < self.free_min_bytes).then_some(StoreError::LittleSpace {
            free_bytes,
            free_min_bytes: self.free_min_bytes,
        })
    }

    /// Looks whether a commit has left enough. That there is enough again only [`Space::watch`] says, so that
    /// a disk on the brink does not fill the log.
    pub(super) fn look_after_commit(&self) {
        if self.little().is_none() {
            self.look();
        }
    }

    /// Looks again and again, until it is dropped.
    pub(super) async fn watch(&self) -> Infallible {
        loop {
            tokio::time::sleep(EVERY).await;
            self.look();
        }
    }

    fn look(&self) {
        // Where the system does not tell, the next write finds out.
        let Ok(disk) = statvfs(&self.folder) else {
            return;
        };
        let before = self.little();
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.free_bytes.store(free_bytes, Relaxed);
        match (before, self.little()) {
            (None, Some(error)) => tracing::error!(%error, "callbacks are refused from now on"),
            (Some(_), None) => {
                tracing::info!(free_bytes, "there is space again: callbacks are taken")
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}
