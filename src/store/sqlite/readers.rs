//! Reads beside the writer. Each answer is read in one transaction, so that it comes from one moment.

use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, Sqlite, SqliteConnection, SqlitePool, Transaction};

/// Number of answers to operators that are read at once; more wait.
pub(super) const READERS_MAX: u32 = 4;

/// Maximum time for which a read waits for a free connection, and a start until all connections are made.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Statement that makes SQLite open the files beside the database.
pub(super) const TOUCH: &str = "SELECT count(*) FROM sqlite_schema";

/// Niceness of the threads that read answers to operators: where the processor does not suffice for all, callbacks and their
/// processing come first. An answer still gets a tenth of what such a thread gets.
const NICENESS: i32 = 10;

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
            answers: connected_pool(READERS_MAX, Some(NICENESS), options.clone()).await?,
            pending: connected_pool(1, None, options).await?,
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

/// Returns a pool with this number of connections to the database, all of them made. Their threads are as nice as is said.
async fn connected_pool(
    connections: u32,
    niceness: Option<i32>,
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
        .after_connect(move |db, _| Box::pin(touch(db, niceness)))
        .connect_with(options)
        .await?;
    // A task of the pool connects beside this one, and may not have ended. A task that holds every connection knows that
    // all are made.
    let mut all = Vec::new();
    for _ in 0..connections {
        all.push(pool.acquire().await?);
    }
    drop(all);
    Ok(pool)
}

/// Makes SQLite open the files of a new connection, and makes the connection's thread nice. That thread is sqlx's own, and runs
/// nothing of ours but SQLite's report of its progress.
async fn touch(db: &mut SqliteConnection, niceness: Option<i32>) -> sqlx::Result<()> {
    if let Some(niceness) = niceness {
        let mut handle = db.lock_handle().await?;
        handle.set_progress_handler(1, move || {
            // A process that is nicer stays so. Where the system refuses it, answers to operators and callbacks share the
            // processor as equals.
            let now = getpriority_process(None).unwrap_or(0);
            let _ = setpriority_process(None, now.max(niceness));
            true
        });
    }
    db.execute(TOUCH).await?;
    if niceness.is_some() {
        db.lock_handle().await?.remove_progress_handler();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sqlx::Connection;
    use sqlx::sqlite::SqliteJournalMode;

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
            let pool = connected_pool(READERS_MAX, None, options.clone())
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

    /// Returns the number of this process's threads that have a niceness.
    fn threads_of(niceness: &str) -> usize {
        let threads = fs::read_dir("/proc/self/task").expect("is Linux");
        let is_nice = |thread: fs::DirEntry| {
            // A thread may have ended since it was listed.
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let (_, after_name) = stat.rsplit_once(')').unwrap_or_default();
            after_name.split_whitespace().nth(16) == Some(niceness)
        };
        threads
            .filter_map(Result::ok)
            .map(is_nice)
            .filter(|is| *is)
            .count()
    }

    #[tokio::test]
    async fn callbacks_come_before_answers_to_operators() {
        let folder = folder();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("read.db"))
            .create_if_missing(true);
        // No other test asks for this niceness.
        let nice = connected_pool(3, Some(13), options.clone()).await;
        let equal = connected_pool(2, None, options).await;
        let (nice, equal) = (nice.expect("connects"), equal.expect("connects"));
        assert_eq!(threads_of("13"), 3, "the threads of the first pool alone");
        nice.close().await;
        equal.close().await;
    }
}
