//! Reads beside the writer. Each answer is read in one transaction, so that it comes from one moment.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, Sqlite, SqlitePool, Transaction};

/// Number of answers to operators that are read at once; more wait.
pub(super) const READERS_MAX: u32 = 4;

/// Maximum time for which a read waits for a free connection, and a start until all connections are made.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Statement that makes SQLite open the files beside the database.
pub(super) const TOUCH: &str = "SELECT count(*) FROM sqlite_schema";

/// Connections to the database that may only read. The pools are private to this file, so every answer to an operator
/// is read in a transaction.
#[derive(Clone)]
pub(super) struct Readers {
    answers: SqlitePool,
    pending: SqlitePool,
}

impl Readers {
    /// Connects to the database, only to read. All connections are made now, with every file that they will ever need,
    /// and are kept: a descriptor that was closed may not be available again when there are many callers.
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Readers> {
        let options = options.read_only(true);
        Ok(Readers {
            answers: connected_pool(READERS_MAX, options.clone()).await?,
            pending: connected_pool(1, options).await?,
        })
    }

    /// Begins a read transaction: all that is read through it shows the same state.
    #[expect(clippy::disallowed_methods, reason = "a read takes no lock to write")]
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.answers.begin().await
    }

    /// Returns the inbox worker's own connection, so that slow answers to operators do not delay processing. The
    /// connection executes one statement, which reads one moment by itself: a transaction would be two more hops to
    /// SQLite's thread.
    pub(super) async fn pending(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.pending.acquire().await
    }

    /// Closes all connections that may only read.
    pub(super) async fn close(&self) {
        self.answers.close().await;
        self.pending.close().await;
    }
}

/// Returns a pool with this number of connections to the database, all of them made.
async fn connected_pool(
    connections: u32,
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(WAIT_MAX)
        // A connection to a file does not break by itself, so it needs no test.
        .test_before_acquire(false)
        .after_connect(|db, _| Box::pin(async move { db.execute(TOUCH).await.map(drop) }))
        .connect_with(options)
        .await?;
    // A task of the pool connects beside this one, and may not have ended. Whoever holds every connection knows that
    // all are made.
    let mut all = Vec::new();
    for _ in 0..connections {
        all.push(pool.acquire().await?);
    }
    drop(all);
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteJournalMode;
    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::store::sqlite::tests::{folder, open_files};

    #[tokio::test]
    async fn no_file_is_opened_once_the_connections_are_made() {
        for opening in 0..100 {
            let folder = folder();
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join("read.db"))
                .journal_mode(SqliteJournalMode::Wal);
            let create = options.clone().create_if_missing(true);
            let mut db = SqliteConnection::connect_with(&create)
                .await
                .expect("opens");
            db.execute("CREATE TABLE t (x)").await.expect("is made");
            let pool = connected_pool(READERS_MAX, options.clone())
                .await
                .expect("connects");
            let before = open_files(folder.path());
            let mut all = Vec::new();
            for _ in 0..READERS_MAX {
                all.push(pool.acquire().await.expect("is free"));
            }
            assert_eq!(open_files(folder.path()), before, "opening {opening}");
        }
    }
}
