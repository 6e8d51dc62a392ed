//! Reading beside the writer. What one answer shows is read in one transaction, so that it comes from one moment.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, Sqlite, SqlitePool, Transaction};

/// How many answers to operators are read at once; more wait.
pub(super) const MOMENTS_MAX: u32 = 4;

/// How long a read waits for a free connection.
const WAIT: Duration = Duration::from_secs(5);

/// A read, by which SQLite opens the files beside the database.
pub(super) const TOUCH: &str = "SELECT count(*) FROM sqlite_schema";

/// The connections that may only read. The pools are private to this file: whoever answers operators gets a
/// transaction.
#[derive(Clone)]
pub(super) struct Readers {
    answers: SqlitePool,
    news: SqlitePool,
}

impl Readers {
    /// Connects to the database, only to read. All connections are made now, with every file that they will ever
    /// need, and kept: a descriptor that is given up may not be had again when there are many callers.
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Readers> {
        let options = options.read_only(true);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .min_connections(connections)
                .max_connections(connections)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(WAIT)
                // A file does not hang up.
                .test_before_acquire(false)
                .after_connect(|db, _| Box::pin(async move { db.execute(TOUCH).await.map(drop) }))
                .connect_with(options.clone())
        };
        Ok(Readers {
            answers: pool(MOMENTS_MAX).await?,
            news: pool(1).await?,
        })
    }

    /// The database as it is at one moment: all that is read through this shows the same state.
    #[expect(clippy::disallowed_methods, reason = "a read wants a moment, no lock")]
    pub(super) async fn moment(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.answers.begin().await
    }

    /// The looker's own connection, so that slow answers to operators do not make news wait. It is for one
    /// statement, which is one moment by itself: a transaction would be two more trips to SQLite's thread.
    pub(super) async fn news(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.news.acquire().await
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        self.answers.close().await;
        self.news.close().await;
    }
}
