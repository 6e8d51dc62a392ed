//! Checkpoints: the WAL is copied into the database file beside the writer, so that no callback waits for it.
//!
//! SQLite restarts the WAL only once all of it is checkpointed, and under load there is always another commit. The last
//! pages are therefore left to the writer, after [`PAGES_MAX`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Notify;

use crate::store::Listener;

/// Number of writes to the database after which a checkpoint is due.
const WRITES_DUE: usize = 1000;

/// Number of pages in the WAL after which a commit itself checkpoints the rest of it.
pub(super) const PAGES_MAX: &str = "4000";

/// Checkpoints what is committed, except pages whose older version a reader still needs, and waits for no other
/// connection.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Maximum time between two reports to the listener, and pause before a failed checkpoint is tried again.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Name under which the results of checkpoints are reported.
const TASK_NAME: &str = "checkpoint";

/// Number of writes since the last checkpoint, and the listener to the results of checkpoints.
#[derive(Default)]
pub(super) struct Written {
    writes: AtomicUsize,
    enough: Notify,
    listener: OnceLock<Listener>,
}

impl Written {
    /// Counts the writes of a commit towards the next checkpoint.
    pub(super) fn add(&self, writes: usize) {
        if self.writes.fetch_add(writes, Relaxed) + writes >= WRITES_DUE {
            self.writes.store(0, Relaxed);
            self.enough.notify_one();
        }
    }

    /// Sets the receiver of the results of checkpoints. A listener that is set later is ignored.
    pub(super) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }
}

/// Runs checkpoints until `stop` is notified. A failed checkpoint is tried again soon; until then the WAL keeps the
/// pages, and a commit checkpoints them.
pub(super) async fn run(
    mut db: SqliteConnection,
    written: &Written,
    stop: &Notify,
) -> sqlx::Result<()> {
    let mut has_failed = false;
    loop {
        let is_due = tokio::select! {
            biased;
            () = stop.notified() => return db.close().await,
            () = written.enough.notified() => true,
            () = tokio::time::sleep(REPORT_INTERVAL) => has_failed,
        };
        let checkpointed = if is_due {
            sqlx::query(CHECKPOINT).execute(&mut db).await.map(drop)
        } else {
            Ok(())
        };
        let checkpointed =
            checkpointed.map_err(|error| format!("the WAL could not be checkpointed: {error}"));
        has_failed = checkpointed.is_err();
        if let Some(tell) = written.listener.get() {
            tell(TASK_NAME, &checkpointed);
        }
    }
}
