//! A connection that leaves the database's files as they were, for commands other than `serve`.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use super::location::{beside, length};
use super::readers::TOUCH;
use super::schema;

/// A connection that does not checkpoint when it is closed. Its owner must hold the database.
pub(super) struct NoCheckpoint {
    pub(super) db: SqliteConnection,
    /// A read-only connection that is closed last, if there is a log: the last connection checkpoints, unless it may
    /// only read.
    guard: Option<SqliteConnection>,
    /// The `-shm` file, if the connection itself has created it.
    created: Option<PathBuf>,
}

impl NoCheckpoint {
    pub(super) async fn open(path: &Path) -> sqlx::Result<NoCheckpoint> {
        let shm = beside(path, "-shm");
        let creates = !shm.exists();
        let has_log = length(&beside(path, "-wal")) > 0;
        let options = schema::options(path);
        let mut db = options.connect().await?;
        let mut guard = None;
        if has_log {
            db.execute(TOUCH).await?;
            let mut reader = options.read_only(true).connect().await?;
            reader.execute(TOUCH).await?;
            guard = Some(reader);
        }
        Ok(NoCheckpoint {
            db,
            guard,
            created: (has_log && creates).then_some(shm),
        })
    }

    pub(super) async fn close(self) -> sqlx::Result<()> {
        self.db.close().await?;
        if let Some(guard) = self.guard {
            guard.close().await?;
        }
        if let Some(shm) = self.created {
            // The next program that opens the database creates the `-shm` file again, and would do so in any case.
            let _ = std::fs::remove_file(shm);
        }
        Ok(())
    }
}
