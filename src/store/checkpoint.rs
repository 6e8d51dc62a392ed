//! Folding the WAL into the file beside the writer, so that no callback waits for it.
//!
//! SQLite lets the WAL begin anew only once all of it is folded in, and under load there is always a commit more:
//! so the last of it is left to the writer, after [`PAGES_MAX`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Notify;

/// Writes after which it is time.
const WRITES: usize = 1000;

/// Pages in the WAL after which a commit itself folds in what is left of it.
pub(super) const PAGES_MAX: &str = "4000";

/// Takes what is committed, as far as nobody reads what it would replace, and waits for nobody.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// How often at least it is said how folding goes, and how soon it is tried again after it failed.
const EVERY: Duration = Duration::from_secs(1);

/// Who is told how folding goes.
type Listener = Box<dyn Fn(&Result<(), String>) + Send + Sync>;

/// What was written since the last time.
#[derive(Default)]
pub(super) struct Written {
    writes: AtomicUsize,
    enough: Notify,
    listener: OnceLock<Listener>,
}

impl Written {
    /// Counts what a commit brought.
    pub(super) fn add(&self, writes: usize) {
        if self.writes.fetch_add(writes, Relaxed) + writes >= WRITES {
            self.writes.store(0, Relaxed);
            self.enough.notify_one();
        }
    }

    /// Names who is to be told how folding goes. The first stays.
    pub(super) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }
}

/// Folds, until told to stop. What fails is tried again soon; meanwhile the WAL keeps it, and a commit folds it in.
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
            () = tokio::time::sleep(EVERY) => has_failed,
        };
        let folded = if is_due {
            sqlx::query(CHECKPOINT).execute(&mut db).await.map(drop)
        } else {
            Ok(())
        };
        let folded =
            folded.map_err(|error| format!("the WAL was not folded into the file: {error}"));
        has_failed = folded.is_err();
        if let Some(tell) = written.listener.get() {
            tell(&folded);
        }
    }
}
