//! Reading beside the writer. What one answer shows is read in one transaction, so that it comes from one moment.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqlitePool, Transaction};

/// How many answers to operators are read at once; more wait.
const MOMENTS_MAX: u32 = 4;

/// How long a read waits for a free connection.
const WAIT: Duration = Duration::from_secs(5);

/// The connections that may only read. The pools are private to this file: whoever answers operators gets a
/// transaction.
#[derive(Clone)]
pub(super) struct Readers {
    answers: SqlitePool,
    news: SqlitePool,
}

impl Readers {
    /// Connects to the database when somebody reads, and only to read.
    pub(super) fn new(options: SqliteConnectOptions) -> Readers {
        let options = options.read_only(true);
        let pool = |connections_max| {
            SqlitePoolOptions::new()
                .max_connections(connections_max)
                .acquire_timeout(WAIT)
                // A file does not hang up.
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        Readers {
            answers: pool(MOMENTS_MAX),
            news: pool(1),
        }
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
