//! Opening the database: every check that is made before a callback is answered.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::fs::Access;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr, SqliteConnection};
use tokio::sync::{Notify, mpsc};

use super::checkpoint::{self, Written};
use super::readers::Readers;
use super::space::Space;
use super::words::open_states;
use super::writer::{Identity, Writer};
use super::{Gate, Store, StoreError};
use crate::order::{Id, Time};

/// Where the database is, and what uses it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file. `-wal`, `-shm` and `.lock` lie beside it.
    pub path: PathBuf,
    /// How many writes may wait at once.
    pub waiting_max: usize,
    /// Bytes of the disk that are not for what comes in; 0: it may fill.
    pub free_min_bytes: u64,
    /// The projects, each with how many of its orders may be asked about in a second; `None`: none.
    pub projects: Vec<(Id, Option<f64>)>,
    /// Now.
    pub now: Time,
}

/// Why the database could not be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on this file.
    #[error("another instance holds {0}: stop it first, or use another database.path")]
    Held(PathBuf),
    /// A write-ahead log without its database: opening would throw away what it holds.
    #[error(
        "{0} is missing but its -wal is there: restore the database file beside it, or move the -wal away to start anew"
    )]
    Orphaned(PathBuf),
    /// The file was written by a later version of this program.
    #[error(
        "{path} has schema version {found}, but this program knows only up to {known}: use the newer program, or restore a backup"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file belongs to something else.
    #[error("{0} is not a database of sinch-callbacks: use another database.path")]
    Foreign(PathBuf),
    /// SQLite itself is not what this program relies on.
    #[error("SQLite {0}")]
    Unfit(String),
    /// The file or its folder cannot be used.
    #[error("cannot use {path}: {reason}")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// Marks a file as ours, in SQLite's header: "SiCb".
const APPLICATION_ID: i64 = 0x5369_4362;
const CLAIM_FILE: &str = "PRAGMA application_id = 0x53694362";

/// Lets the file give back what is free in it, a little at a time. SQLite takes it only before the first table.
const GIVE_BACK: &str = "PRAGMA auto_vacuum = INCREMENTAL";

/// Versions before this can lose commits in WAL mode (SQLite's "WAL-reset bug").
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// How long a write waits for another program's lock before the callback is answered 503.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// What is left of the WAL file after that.
const WAL_BYTES: &str = "16777216";

/// The schema, in the steps in which it came to be.
pub(super) fn migrations() -> Migrator {
    let step = |version, name: &'static str, text: &'static str| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    let schema = include_str!("../../migrations/0001_schema.sql");
    Migrator::with_migrations(vec![step(1, "schema", schema)])
}

/// An id up to `looked_to` counts as looked at, also when retention has left no row that has it.
const NEXT_DELIVERY: &str = "
    SELECT max((SELECT coalesce(max(id), 0) FROM deliveries), looked_to) + 1 FROM service";

/// Opens the database, creating it where there is none, and brings its schema up to date.
///
/// Beside the handle and the projects' gates it returns the writer, which the caller runs: it ends,
/// with a last checkpoint, when every handle is gone.
///
/// # Errors
///
/// [`OpenError`], before anything is changed where that can be helped.
pub async fn open(
    settings: &Settings,
) -> Result<
    (
        Store,
        HashMap<Id, Gate>,
        impl Future<Output = Result<(), StoreError>> + Send + use<>,
    ),
    OpenError,
> {
    let path = &settings.path;
    let lock = lock(path)?;
    refuse_orphan(path)?;
    let options = options(path);
    let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
    let mut db = options.connect().await.map_err(unusable)?;
    // Before the first change: a file that is not ours is left as it is, its journal mode included.
    let nobodys = check_owner(&mut db, path).await?;
    check_version(&mut db, path).await?;
    check_sqlite(&mut db, path).await?;
    if nobodys {
        // Before the WAL, which writes the first page.
        let prepared = sqlx::query(GIVE_BACK).execute(&mut db).await;
        prepared.map_err(unusable)?;
    }
    enter_wal(&mut db, path).await?;
    if nobodys {
        let claimed = sqlx::query(CLAIM_FILE).execute(&mut db).await;
        claimed.map_err(unusable)?;
    }
    let migrated = migrations().run(&mut db).await;
    migrated.map_err(|error| self::unusable(path, &error.to_string()))?;
    let (projects, gates) = prepare(&mut db, settings).await.map_err(unusable)?;
    let next_delivery = sqlx::query(NEXT_DELIVERY)
        .fetch_one(&mut db)
        .await
        .map_err(unusable)?
        .get(0);
    let options = options.create_if_missing(false);
    let folding = options.connect().await.map_err(unusable)?;
    let readers = Readers::open(options).await.map_err(unusable)?;
    let space = Arc::new(Space::around(path, settings.free_min_bytes));
    let written = Arc::new(Written::default());
    let mut writer = Writer {
        db,
        identity: Identity::of(path.clone()).map_err(|e| self::unusable(path, &e.to_string()))?,
        projects,
        next_delivery,
        space: space.clone(),
        written: written.clone(),
    };
    let (writes, inbox) = mpsc::channel(settings.waiting_max);
    let store = Store {
        writes,
        readers: readers.clone(),
        path: path.clone(),
        space: space.clone(),
        news: Arc::new(Notify::new()),
        asks: Arc::new(Notify::new()),
    };
    let run = async move {
        let stop = Notify::new();
        let work = async {
            let outcome = tokio::select! {
                outcome = writer.run(inbox) => outcome,
                never = space.watch() => match never {},
            };
            stop.notify_one();
            outcome
        };
        let (outcome, folded) = tokio::join!(work, checkpoint::run(folding, &written, &stop));
        let outcome = outcome.and(folded.map_err(StoreError::of_writer));
        // Readers first: the connection that is closed last tidies up, and a reader may not write.
        readers.close().await;
        // A writer that stopped over a fault does not call its end clean.
        let outcome = match outcome {
            Ok(()) => writer.close().await,
            Err(error) => Err(error),
        };
        drop(lock);
        outcome
    };
    Ok((store, gates, run))
}

/// Makes the checks of [`open`] and changes nothing: a file that is not there is not created, one of an
/// earlier version is not brought up to date. Whether the disk bears a WAL only doing it can tell.
///
/// # Errors
///
/// What [`open`] would fail with.
pub async fn check(settings: &Settings) -> Result<(), OpenError> {
    let path = &settings.path;
    refuse_orphan(path)?;
    if !path.exists() {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        return rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| unusable(folder, &error.to_string()));
    }
    let _lock = lock(path)?;
    let mut db = options(path)
        .create_if_missing(false)
        .connect()
        .await
        .map_err(|error| unusable(path, &error.to_string()))?;
    check_owner(&mut db, path).await?;
    check_version(&mut db, path).await?;
    check_sqlite(&mut db, path).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", checkpoint::PAGES_MAX)
        .pragma("journal_size_limit", WAL_BYTES)
        .disable_statement_logging()
}

fn unusable(path: &Path, reason: &str) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Takes the lock that keeps a second process off. The system releases it, even after a crash.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = beside(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|error| unusable(&lock_path, &error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(&lock_path, &error.to_string())),
    }
}

/// The file that SQLite or we keep beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// SQLite would silently delete a WAL whose database is gone, and with it what was acknowledged.
fn refuse_orphan(path: &Path) -> Result<(), OpenError> {
    let wal = std::fs::metadata(beside(path, "-wal"));
    match !path.exists() && wal.is_ok_and(|wal| wal.len() > 0) {
        true => Err(OpenError::Orphaned(path.to_owned())),
        false => Ok(()),
    }
}

async fn pragma(
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

/// Reads back what durability stands on, instead of trusting that it was set.
async fn check_sqlite(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let version = pragma(db, path, "SELECT sqlite_version()").await?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < SQLITE_MIN {
        let (major, minor, patch) = SQLITE_MIN;
        return Err(OpenError::Unfit(format!(
            "{version} can lose commits: {major}.{minor}.{patch} or later is needed"
        )));
    }
    let synchronous = pragma(db, path, "PRAGMA synchronous").await?;
    if synchronous != "2" {
        return Err(OpenError::Unfit(format!(
            "runs with synchronous = {synchronous} instead of 2 (FULL)"
        )));
    }
    Ok(())
}

/// Switches to the write-ahead log, which not every disk bears. The file remembers it.
async fn enter_wal(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let mode = pragma(db, path, "PRAGMA journal_mode = WAL").await?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(OpenError::Unfit(format!(
            "runs in journal mode {mode} instead of wal: is database.path on a local disk?"
        ))),
    }
}

/// Refuses a file that belongs to another program; `true`: it is empty, and nobody's yet.
async fn check_owner(db: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let id = pragma(db, path, "PRAGMA application_id").await?;
    if id == APPLICATION_ID.to_string() {
        return Ok(false);
    }
    let tables = pragma(db, path, "SELECT count(*) FROM sqlite_schema").await?;
    match (id.as_str(), tables.as_str()) {
        ("0", "0") => Ok(true),
        (_, _) => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// Refuses a file that a later version of this program has written.
async fn check_version(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let known = migrations().iter().map(|m| m.version).max().unwrap_or(0);
    // Absent in a fresh file.
    let found = sqlx::query("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(db)
        .await
        .map_or(0, |row| row.get(0));
    match found > known {
        true => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        }),
        false => Ok(()),
    }
}

/// What waits for an answer that nobody could ask for, since the project's API was off, is due now.
static RESUME: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE orders SET ask_at = ?1 WHERE project = ?2 AND ask_at IS NULL AND parked IS NULL \
         AND (confirmed_state IS NULL OR hints <> '[]' OR confirmed_state IN ({}))",
        open_states()
    )
});

/// After an unclean end every open order is asked about again, since callbacks may have been missed
/// while nobody listened: spread over as long as the budget needs for all, and no later than planned.
static SPREAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE orders SET ask_at = min(ask_at, ?1 + abs(random() % (1 + CAST(1000000 / ?3 AS INTEGER) * (\
         SELECT count(*) FROM orders WHERE project = ?2 AND ask_at IS NOT NULL)))) \
         WHERE project = ?2 AND ask_at > ?1 AND (confirmed_state IS NULL OR confirmed_state IN ({}))",
        open_states()
    )
});

/// No wish lies further ahead than this, unless the clock was set back since it was made.
const AHEAD_MAX: Duration = Duration::from_secs(25 * 3600);
const CLAMP: &str = "UPDATE orders SET ask_at = ?1 WHERE project = ?2 AND ask_at > ?1";

/// Registers the projects, and takes up what an earlier run left; its leases are void.
async fn prepare(
    db: &mut SqliteConnection,
    settings: &Settings,
) -> sqlx::Result<(HashMap<Id, i64>, HashMap<Id, Gate>)> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    let clean: bool = sqlx::query("SELECT clean FROM service")
        .fetch_one(&mut *tx)
        .await?
        .try_get("clean")?;
    sqlx::query("UPDATE service SET clean = 0")
        .execute(&mut *tx)
        .await?;
    let mut projects = HashMap::new();
    let mut gates = HashMap::new();
    for (project, asks_per_second) in &settings.projects {
        sqlx::query("INSERT INTO projects (name) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(project.as_str())
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query(
            "SELECT id, failures, paused_until_at, pause_reason FROM projects WHERE name = ?",
        )
        .bind(project.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let id: i64 = row.try_get("id")?;
        let until: Option<i64> = row.try_get("paused_until_at")?;
        let reason: Option<String> = row.try_get("pause_reason")?;
        let gate = Gate {
            failures: row.try_get("failures")?,
            paused: until.map(Time).zip(reason),
        };
        projects.insert(project.clone(), id);
        gates.insert(project.clone(), gate);
        if let Some(asks_per_second) = asks_per_second {
            sqlx::query(RESUME.as_str())
                .bind(settings.now.0)
                .bind(id)
                .execute(&mut *tx)
                .await?;
            sqlx::query(CLAMP)
                .bind(settings.now.plus(AHEAD_MAX).0)
                .bind(id)
                .execute(&mut *tx)
                .await?;
            if !clean {
                sqlx::query(SPREAD.as_str())
                    .bind(settings.now.0)
                    .bind(id)
                    .bind(asks_per_second)
                    .execute(&mut *tx)
                    .await?;
            }
        }
    }
    sqlx::query("UPDATE orders SET lease = NULL, leased_until_at = NULL WHERE lease IS NOT NULL")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((projects, gates))
}
