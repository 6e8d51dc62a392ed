//! The database file, as a user with access to the machine sees it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use crate::PATIENCE;

/// A connection to the database file, beside the service's.
pub struct File {
    db: SqliteConnection,
}

impl File {
    /// Opens an existing database file.
    pub async fn open(path: &Path) -> File {
        File::connect(path, |options| options).await
    }

    /// Opens an existing database file to read it.
    pub async fn open_read_only(path: &Path) -> File {
        File::connect(path, |options| options.read_only(true)).await
    }

    /// Opens a database file, and creates it if it does not exist.
    pub async fn create(path: &Path) -> File {
        File::connect(path, |options| options.create_if_missing(true)).await
    }

    async fn connect(
        path: &Path,
        how: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> File {
        // The service may hold the write lock at any time, so a statement waits for it.
        let options = SqliteConnectOptions::new().busy_timeout(PATIENCE);
        let db = how(options.filename(path)).connect().await;
        File {
            db: db.expect("the database opens"),
        }
    }

    /// Executes a statement and returns the number of rows that it touched.
    pub async fn execute(&mut self, sql: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.db)
            .await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"))
            .rows_affected()
    }

    /// Returns the number that a query gives as its only result.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.db)
            .await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// Returns the texts that a query gives, one a row.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.db);
        rows.await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Returns `true` if SQLite finds nothing wrong with the file, and it is a database at all.
    pub async fn is_intact(&mut self) -> bool {
        let good = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
        let found = sqlx::query_scalar(good).fetch_one(&mut self.db).await;
        found.is_ok_and(|found: i64| found == 1)
    }

    /// Returns the bodies of all deliveries, by the ids of their events.
    pub async fn bodies(&mut self) -> BTreeMap<String, Vec<u8>> {
        let rows = sqlx::query("SELECT dedup_key, body FROM deliveries")
            .fetch_all(&mut self.db)
            .await
            .expect("deliveries can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Returns the row ids and event ids of the first deliveries after the given row id, at most the given number.
    pub async fn events_after(&mut self, id: i64, deliveries_max: u32) -> Vec<(i64, String)> {
        let sql = "SELECT id, dedup_key FROM deliveries WHERE id > ? ORDER BY id LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(id)
            .bind(deliveries_max)
            .fetch_all(&mut self.db)
            .await
            .expect("deliveries can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Closes the connection to the database file, so that nothing is left to be written.
    pub async fn close(self) {
        self.db.close().await.expect("the database closes");
    }

    /// Returns the path of a file beside the database: its path with a suffix.
    pub fn beside(path: &Path, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", path.display()))
    }
}
