//! Identity of a database file: its application id, the version of its schema, and SQLite's settings for it.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqlSafeStr, SqliteConnection};

use super::OpenError;
use super::checkpoint;
use super::location::unusable;

/// Application id of this program in SQLite's header: "SiCb".
const APPLICATION_ID: i64 = 0x5369_4362;
const CLAIM_FILE: &str = "PRAGMA application_id = 0x53694362";

/// Lets the database file release free pages by incremental vacuum. SQLite accepts this only before the first table.
const ENABLE_VACUUM: &str = "PRAGMA auto_vacuum = INCREMENTAL";

/// Minimum version of SQLite. Earlier ones can lose commits in WAL mode (SQLite's "WAL-reset bug").
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// Maximum time that a write waits for another program's lock before the callback is answered 503.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Number of bytes to which the WAL file is truncated after a checkpoint.
const WAL_BYTES: &str = "16777216";

/// Returns the schema as migrations, in the order in which they were added.
pub(super) fn migrations() -> Migrator {
    let step = |version, name: &'static str, text: &'static str| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    let schema = include_str!("../../../migrations/sqlite/0001_schema.sql");
    Migrator::with_migrations(vec![step(1, "schema", schema)])
}

/// Result of the checks of a database file that may be opened.
pub(super) struct Fit {
    /// `true` if the database file is empty and belongs to no program yet.
    pub(super) is_new: bool,
    /// `true` if the database file has the newest schema.
    pub(super) is_current: bool,
}

/// Makes every check of a database file that needs no change of it.
pub(super) async fn inspect(db: &mut SqliteConnection, path: &Path) -> Result<Fit, OpenError> {
    let is_new = check_owner(db, path).await?;
    let is_current = check_version(db, path).await?;
    check_sqlite(db, path).await?;
    Ok(Fit { is_new, is_current })
}

/// Brings a database file to the state in which the service works on it. A file of another program is left as it is,
/// its journal mode included.
pub(super) async fn bring_up(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
    let fit = inspect(db, path).await?;
    if fit.is_new {
        // This comes before the switch to WAL, which writes the first page.
        let prepared = sqlx::query(ENABLE_VACUUM).execute(&mut *db).await;
        prepared.map_err(unusable)?;
    }
    enter_wal(db, path).await?;
    if fit.is_new {
        let claimed = sqlx::query(CLAIM_FILE).execute(&mut *db).await;
        claimed.map_err(unusable)?;
    }
    let migrated = migrations().run(&mut *db).await;
    migrated.map_err(|error| self::unusable(path, &error.to_string()))
}

/// Returns the options of every connection to the database; the file must be there.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", checkpoint::PAGES_MAX)
        .pragma("journal_size_limit", WAL_BYTES)
        .disable_statement_logging()
}

async fn query_value(
    db: &mut SqliteConnection,
    path: &Path,
    sql: &'static str,
) -> Result<String, OpenError> {
    let row = sqlx::query(sql)
        .fetch_one(db)
        .await
        .map_err(|error| unusable(path, &error.to_string()))?;
    match row.try_get::<String, _>(0) {
        Ok(text) => Ok(text),
        Err(_) => Ok(row.get::<i64, _>(0).to_string()),
    }
}

/// Reads back SQLite's settings that durability depends on, instead of trusting that they were set.
async fn check_sqlite(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let version = query_value(db, path, "SELECT sqlite_version()").await?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < SQLITE_MIN {
        let (major, minor, patch) = SQLITE_MIN;
        return Err(OpenError::Unfit(format!(
            "{version} can lose commits: {major}.{minor}.{patch} or later is needed"
        )));
    }
    let synchronous = query_value(db, path, "PRAGMA synchronous").await?;
    if synchronous != "2" {
        return Err(OpenError::Unfit(format!(
            "runs with synchronous = {synchronous} instead of 2 (FULL)"
        )));
    }
    Ok(())
}

/// Switches the database file to the write-ahead log, which not every disk supports. The mode is stored in the file.
async fn enter_wal(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let mode = query_value(db, path, "PRAGMA journal_mode = WAL").await?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(OpenError::Unfit(format!(
            "runs in journal mode {mode} instead of wal: is database.path on a local disk?"
        ))),
    }
}

/// Refuses a database file that belongs to another program; returns `true` if it is empty and belongs to no program
/// yet.
async fn check_owner(db: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let id = query_value(db, path, "PRAGMA application_id").await?;
    if id == APPLICATION_ID.to_string() {
        return Ok(false);
    }
    let tables = query_value(db, path, "SELECT count(*) FROM sqlite_schema").await?;
    match (id.as_str(), tables.as_str()) {
        ("0", "0") => Ok(true),
        (_, _) => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// Refuses a database file that a later version of this program has written; returns `true` if its schema is the
/// newest.
async fn check_version(db: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let known = migrations().iter().map(|m| m.version).max().unwrap_or(0);
    // A fresh file has no such table.
    let found = sqlx::query("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(db)
        .await
        .map_or(0, |row| row.get(0));
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(found == known)
}
