//! Reads beside the writer. Each answer is read in one transaction, so that it comes from one moment.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, Sqlite, SqlitePool, Transaction};

/// Number of answers to operators that are read at once; more wait.
pub(super) const READERS_MAX: u32 = 4;

/// Maximum time that a read waits for a free connection, and a start until all connections are made.
const WAIT: Duration = Duration::from_secs(30);

/// Statement that makes SQLite open the files beside the database.
pub(super) const TOUCH: &str = "SELECT count(*) FROM sqlite_schema";

/// Connections that may only read. The pools are private to this file, so every answer to an operator is read in a
/// transaction.
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
        let pool = |connections| {
            SqlitePoolOptions::new()
                .min_connections(connections)
                .max_connections(connections)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(WAIT)
                // A connection to a file does not break by itself, so it needs no test.
                .test_before_acquire(false)
                .after_connect(|db, _| Box::pin(async move { db.execute(TOUCH).await.map(drop) }))
                .connect_with(options.clone())
        };
        Ok(Readers {
            answers: pool(READERS_MAX).await?,
            pending: pool(1).await?,
        })
    }

    /// Begins a read transaction: all that is read through it shows the same state.
    #[expect(clippy::disallowed_methods, reason = "a read takes no lock to write")]
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.answers.begin().await
    }

    /// The inbox worker's own connection, so that slow answers to operators do not delay processing. The connection
    /// executes one statement, which reads one moment by itself: a transaction would be two more hops to SQLite's
    /// thread.
    pub(super) async fn pending(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.pending.acquire().await
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        self.answers.close().await;
        self.pending.close().await;
    }
}
