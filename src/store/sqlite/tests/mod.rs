//! The store on real SQLite files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, Row, Sqlite, SqliteConnection, Transaction};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

mod accepting;
mod checkpoints;
mod columns;
mod copies;
mod files;
mod free_space;
mod journals;
mod opening;
mod plans;
mod private_files;
mod processing;
mod readiness;
mod retention;
mod schema;
mod steps;
mod unreadable;

use super::rows::order_text;
use super::*;
use crate::store::changes::StoredOrder;
use crate::store::tests::*;
use crate::store::types::*;
use number_order::{AlertKind, Answer, Failure, Limits, Policy, State, Time};

/// A folder for a database, in memory where there is plenty of it: what these tests prove does not depend on a disk,
/// and thousands of commits need not wait for a busy one.
pub(crate) fn folder() -> TempDir {
    const PLENTY_BYTES: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    let folder = if free >= PLENTY_BYTES {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder")
}

/// Files below a folder that this process has open, one for each descriptor.
pub(in crate::store) fn open_files(folder: &Path) -> Vec<PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").expect("the system says");
    let open = open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let mut files: Vec<PathBuf> = open.filter(|path| path.starts_with(folder)).collect();
    files.sort();
    files
}

pub(in crate::store) fn settings(path: PathBuf) -> Settings {
    Settings {
        path,
        waiting_max: 1024,
        free_min_bytes: 0,

        targets: Vec::new(),
        projects: vec![(id(PROJECT), Some(5.0))],
        now: at(5000),
    }
}

/// Copies a database into a file, to the end.
async fn backup(from: &Path, to: &Path, may_overwrite: bool) -> Result<Copied, CopyError> {
    super::backup(from, to, may_overwrite, &CancellationToken::new()).await
}

/// Puts a backup in the place of a database, to the end.
async fn restore(database: &Path, from: &Path, may_replace: bool) -> Result<Copied, CopyError> {
    super::restore(database, from, may_replace, &CancellationToken::new()).await
}

impl Place {
    /// Returns the folder of the database.
    fn folder(&self) -> &TempDir {
        match self {
            Place::Folder(folder) => folder,
            #[cfg(feature = "postgres")]
            Place::Database { name, .. } => panic!("{name} is in no folder"),
        }
    }

    /// Takes the folder of the database.
    fn into_folder(self) -> TempDir {
        match self {
            Place::Folder(folder) => folder,
            #[cfg(feature = "postgres")]
            Place::Database { name, .. } => panic!("{name} is in no folder"),
        }
    }
}

impl Fixture {
    async fn new() -> Fixture {
        Fixture::on(Backend::Sqlite).await
    }

    /// Opens the database in a folder.
    async fn open_in(folder: TempDir) -> Fixture {
        Fixture::open(Place::Folder(folder), &[(PROJECT, Some(5.0))]).await
    }

    fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Returns the backend's own handle.
    fn sqlite(&self) -> &Store {
        match &self.store {
            crate::store::Store::Sqlite(store) => store,
            #[cfg(feature = "postgres")]
            crate::store::Store::Postgres(_) => panic!("it is not SQLite's"),
        }
    }

    /// Begins a read transaction without the store's own readers.
    async fn begin_read(&self) -> Transaction<'static, Sqlite> {
        self.sqlite().readers.begin().await.expect("reads")
    }
}

impl Store {
    /// Returns the warnings about projects with which a start with the given settings begins.
    pub(in crate::store) async fn warnings(&self, settings: Settings) -> Vec<String> {
        let mut db = self.readers.begin().await.expect("reads");
        let warnings = removal::not_fetched(&mut db, &settings).await;
        warnings.expect("reads")
    }

    /// Reads the only order as it is on disk, and the number of deliveries that wait.
    pub(in crate::store) async fn only_order(&self) -> (Option<StoredOrder>, i64) {
        const SQL: &str = concat!(
            "SELECT (SELECT ",
            order_text!(),
            " FROM orders AS o JOIN projects AS p ON p.id = o.project), \
             (SELECT count(*) FROM deliveries WHERE phase = 'waiting')"
        );
        let mut db = self.readers.begin().await.expect("reads");
        let row = sqlx::query(SQL).fetch_one(&mut *db).await.expect("reads");
        let order = row.get::<Option<&str>, _>(0);
        let order = order.map(|text| serde_json::from_str(text).expect("an order"));
        (order, row.get(1))
    }

    /// Closes the connections of readers, as the end of the process does.
    pub(in crate::store) async fn close_readers(&self) {
        self.readers.close().await;
    }
}
