//! Folding the WAL into the file beside the writer, so that no callback waits for it.
//!
//! SQLite lets the WAL begin anew only once all of it is folded in, and under load there is always a commit more:
//! so the last of it is left to the writer, after [`PAGES_MAX`].

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Notify;

/// Writes after which it is time.
const WRITES: usize = 1000;

/// Pages in the WAL after which a commit itself folds in what is left of it.
pub(super) const PAGES_MAX: &str = "4000";

/// Takes what is committed, as far as nobody reads what it would replace, and waits for nobody.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// What was written since the last time.
#[derive(Default)]
pub(super) struct Written {
    writes: AtomicUsize,
    enough: Notify,
}

impl Written {
    /// Counts what a commit brought.
    pub(super) fn add(&self, writes: usize) {
        if self.writes.fetch_add(writes, Relaxed) + writes >= WRITES {
            self.writes.store(0, Relaxed);
            self.enough.notify_one();
        }
    }
}

/// Folds, until told to stop. What fails is left to the writer: the WAL keeps it until then.
pub(super) async fn run(
    mut db: SqliteConnection,
    written: &Written,
    stop: &Notify,
) -> sqlx::Result<()> {
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => return db.close().await,
            () = written.enough.notified() => {}
        }
        if let Err(error) = sqlx::query(CHECKPOINT).execute(&mut db).await {
            tracing::debug!(%error, "the WAL was not folded into the file; a commit will do it");
        }
    }
}
