//! Check that the disk has room for new deliveries.
//!
//! Stored deliveries must still be processed, which writes, too: decisions, fetches, checkpoints. New deliveries are
//! therefore refused before the disk is full, and the rest goes on.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::fs::statvfs;

use super::StoreError;

/// Interval between two measurements of the disk while nothing is written.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// The disk that the database is on, as it was when last measured.
pub(super) struct Space {
    folder: PathBuf,
    free_min_bytes: u64,
    free_bytes: AtomicU64,
}

impl Space {
    /// Measures for the first time the disk that the folder is on. Of the space there, `free_min_bytes` are reserved
    /// and not for new deliveries.
    pub(super) fn in_folder(folder: PathBuf, free_min_bytes: u64) -> Space {
        let space = Space {
            folder,
            free_min_bytes,
            free_bytes: AtomicU64::new(u64::MAX),
        };
        space.measure();
        space
    }

    /// Returns the number of bytes of the disk that are free for a program without privileges.
    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Relaxed)
    }

    /// Returns the number of free bytes below which no delivery may come in.
    pub(super) fn free_min_bytes(&self) -> u64 {
        self.free_min_bytes
    }

    /// Returns the reason why no delivery may come in; `None` if one may.
    pub(super) fn little(&self) -> Option<StoreError> {
        let free_bytes = self.free_bytes();
        (free_bytes < self.free_min_bytes).then_some(StoreError::LittleSpace {
            free_bytes,
            free_min_bytes: self.free_min_bytes,
        })
    }

    /// Measures the disk space that a commit has left. Only [`Space::watch`] finds that there is enough again, so that
    /// a disk that is about full does not fill the log with warnings.
    pub(super) fn measure_after_commit(&self) {
        if self.little().is_none() {
            self.measure();
        }
    }

    /// Measures the disk space again and again, until the future is dropped.
    pub(super) async fn watch(&self) -> Infallible {
        loop {
            tokio::time::sleep(MEASURE_INTERVAL).await;
            self.measure();
        }
    }

    fn measure(&self) {
        // If the system gives no figures, the next write finds out if there is space.
        let Ok(disk) = statvfs(&self.folder) else {
            return;
        };
        let before = self.little();
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.free_bytes.store(free_bytes, Relaxed);
        match (before, self.little()) {
            (None, Some(error)) => tracing::error!(%error, "callbacks are refused from now on"),
            (Some(_), None) => {
                tracing::info!(free_bytes, "there is space again: callbacks are taken");
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}
