//! Opening of the database, with every check that is made before a callback is answered.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Instant;

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Notify, mpsc};

use super::checkpoint::{self, Written};
use super::command::WriteContext;
use super::files::{self, Files};
use super::location::{self, Location, unusable};
use super::lock::Lock;
use super::no_checkpoint::NoCheckpoint;
use super::outbox::OutboxContext;
use super::prepare::{self, Begun};
use super::rates::Rates;
use super::readers::Readers;
use super::revision::Revision;
use super::row_fault::Unparkable;
use super::schema;
use super::space::Space;
use super::work_folder::WorkFolder;
use super::writer::Writer;
use super::{Store, StoreError};
use crate::store::TargetSettings;
use crate::store::spare::SpareTime;
use number_order::{Id, Time};

/// Place of the database, and the projects and limits that it serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Path of the database file. `-wal`, `-shm` and `.lock` lie beside it.
    pub path: PathBuf,
    /// Maximum number of writes that wait for the writer at once.
    pub waiting_max: usize,
    /// Number of bytes of the disk that are reserved and not for new deliveries; with 0 the disk may fill.
    pub free_min_bytes: u64,
    /// Projects that are served, each with the number of its orders that may be fetched in a second; `None` if none
    /// may.
    pub projects: Vec<(Id, Option<f64>)>,
    /// Targets that are told of events.
    pub targets: Vec<TargetSettings>,
    /// Time at which the service starts.
    pub now: Time,
}

/// Reason why the database could not be opened; each tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on this database file.
    #[error("another instance holds {0}: stop it first, or use another database.path")]
    Held(PathBuf),
    /// A write-ahead log or a journal without its database: opening would throw away what it holds.
    #[error(
        "{0} is missing or empty but its -wal or -journal is there: restore the database file beside it, or move that away to start anew"
    )]
    Orphaned(PathBuf),
    /// A restore has put a database aside, and there is nothing in its place.
    #[error(
        "{0} is missing or empty, and beside it is {0}.replaced, {0}.replaced-wal or {0}.replaced-journal, the database before a restore, which was \
         perhaps broken off: move what is there of them back to {0}, {0}-wal and {0}-journal, or move it away to start anew or restore a backup"
    )]
    BrokenOff(PathBuf),
    /// A write-ahead log or a journal beside a link, where SQLite does not look for it.
    #[error(
        "{log} lies beside a link, and the database is {path}: move the log there if it belongs to it, or else away"
    )]
    Stray {
        /// Path of the log or journal.
        log: PathBuf,
        /// Path that the link leads to.
        path: PathBuf,
    },
    /// The database file was written by a later version of this program.
    #[error(
        "{path} has schema version {found}, but this program knows only up to {known}: use the newer program, or restore a backup"
    )]
    Newer {
        /// Path of the database file.
        path: PathBuf,
        /// Version of the schema in the database file.
        found: i64,
        /// Newest version of the schema that this program knows.
        known: i64,
    },
    /// The database file belongs to another program.
    #[error("{0} is not a database of sinch-callbacks: use another database.path")]
    Foreign(PathBuf),
    /// SQLite itself lacks a property that this program relies on.
    #[error("SQLite {0}")]
    Unfit(String),
    /// The database file or its folder cannot be used.
    #[error("cannot use {path}: {reason}")]
    Unusable {
        /// Path of the file or folder that cannot be used.
        path: PathBuf,
        /// Error of the system, in words.
        reason: String,
    },
}

/// A database that can be opened, as far as its files show, and that no other process works on. Nothing has been opened
/// yet; when the value is dropped, everything is as it was.
#[derive(Debug)]
pub struct Held {
    pub(super) location: Location,
    pub(super) lock: Lock,
}

/// Makes sure that the database's files can be used, and keeps other instances off.
///
/// # Errors
///
/// [`OpenError`]; nothing has changed then.
pub fn hold(path: &Path) -> Result<Held, OpenError> {
    let location = Location::find(path)?;
    location.refuse_other_names()?;
    location.refuse_broken_off()?;
    location.refuse_orphan()?;
    location.refuse_unwritable()?;
    let lock = Lock::take(&location)?;
    Ok(Held { location, lock })
}

/// Connections and tasks that work on an open database.
struct Opened {
    db: SqliteConnection,
    checkpointing: SqliteConnection,
    readers: Readers,
    files: Files,
    begun: Begun,
}

impl Held {
    /// Opens the database, creating it where there is none, and brings its schema up to date. The note that a run has
    /// begun is written last.
    ///
    /// Beside the handle it returns the writer, which the caller runs: it ends, with a last
    /// checkpoint, when every handle is gone.
    ///
    /// # Errors
    ///
    /// [`OpenError`], before anything is changed where that can be helped.
    pub async fn open(
        self,
        settings: &Settings,
    ) -> Result<
        (
            Store,
            impl Future<Output = Result<(), StoreError>> + Send + use<>,
        ),
        OpenError,
    > {
        let Held { location, lock } = self;
        let opened = Opened::of(&location.path, settings).await?;
        let space = Arc::new(Space::in_folder(location.folder, settings.free_min_bytes));
        let written = Arc::new(Written::default());
        let told = Arc::new(Notify::new());
        for sentence in &opened.begun.not_fetched {
            tracing::warn!("{sentence}");
        }
        let newest = opened.begun.next_delivery - 1;
        let (readers, checkpointing) = (opened.readers, opened.checkpointing);
        let context = context(opened.db, opened.files, opened.begun);
        let (targets, revision) = (context.outbox.targets.clone(), context.revision.clone());
        let spare = Arc::new(SpareTime::new(Instant::now()));
        let mut writer = Writer {
            context,
            spare: spare.clone(),
            space: space.clone(),
            written: written.clone(),
            told: told.clone(),
        };
        let (writes, inbox) = mpsc::channel(settings.waiting_max);
        let store = Store {
            writes,
            readers: readers.clone(),
            path: location.path,
            space: space.clone(),
            pending: Arc::new(Notify::new()),
            due: Arc::new(Notify::new()),
            told,
            newest: Arc::new(AtomicI64::new(newest)),
            met: Arc::default(),
            written: written.clone(),
            rates: Rates::default(),
            targets,
            revision,
            spare,
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
            let (outcome, checkpointed) =
                tokio::join!(work, checkpoint::run(checkpointing, &written, &stop));
            let outcome = outcome.and(checkpointed.map_err(StoreError::of_writer));
            // Readers are closed first: the connection that is closed last checkpoints and removes the log, and a
            // reader may not write.
            readers.close().await;
            let outcome = ended(writer, outcome).await;
            // The lock is released last, when SQLite has closed the file.
            drop(lock);
            outcome
        };
        Ok((store, run))
    }
}

/// Ends the writer: well, or after a fault.
async fn ended(writer: Writer, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    if outcome.is_ok() {
        return writer.close().await;
    }
    writer.abandon().await;
    outcome
}

/// Returns what the writer knows when the run begins.
fn context(db: SqliteConnection, files: Files, begun: Begun) -> WriteContext {
    WriteContext {
        db,
        files,
        projects: begun.projects,
        next_delivery: begun.next_delivery,
        unparkable: Unparkable::new(),
        outbox: OutboxContext {
            targets: begun.targets.into(),
            added: false,
        },
        revision: Revision::default(),
        is_changed: false,
    }
}

impl Opened {
    /// Opens all connections to the database. If that fails, they are closed again, and the last one checkpoints.
    async fn of(path: &Path, settings: &Settings) -> Result<Opened, OpenError> {
        let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
        let options = schema::options(path);
        let mut db = options.connect().await.map_err(unusable)?;
        if let Err(error) = schema::bring_up(&mut db, path).await {
            let _ = db.close().await;
            return Err(error);
        }
        let others = async {
            let checkpointing = options.connect().await?;
            let readers = Readers::open(options).await?;
            sqlx::Result::Ok((checkpointing, readers))
        };
        let (checkpointing, readers) = match others.await {
            Ok(others) => others,
            Err(error) => {
                let _ = db.close().await;
                return Err(unusable(error));
            }
        };
        let begun = prepare::begin(&mut db, settings).await.map_err(unusable);
        let begun = match begun {
            Ok(begun) => record_files(&mut db, path)
                .await
                .map(|files| (begun, files)),
            Err(error) => Err(error),
        };
        match begun {
            Ok((begun, files)) => Ok(Opened {
                db,
                checkpointing,
                readers,
                files,
                begun,
            }),
            Err(error) => {
                readers.close().await;
                let _ = checkpointing.close().await;
                let _ = db.close().await;
                Err(error)
            }
        }
    }
}

async fn record_files(db: &mut SqliteConnection, path: &Path) -> Result<Files, OpenError> {
    let (page_bytes, pages) = files::pages(db)
        .await
        .map_err(|error| unusable(path, &error.to_string()))?;
    Files::of(path, page_bytes, pages).map_err(|error| location::at(path, &error))
}

/// Opens the database as [`hold`] and [`Held::open`] do.
///
/// # Errors
///
/// [`OpenError`].
pub async fn open(
    settings: &Settings,
) -> Result<
    (
        Store,
        impl Future<Output = Result<(), StoreError>> + Send + use<>,
    ),
    OpenError,
> {
    hold(&settings.path)?.open(settings).await
}

/// Does what a start does, and undoes it. It holds the database. It creates and opens a new one beside it, since only
/// doing so shows that it is possible. It writes what a start writes into the existing one, and rolls that back.
///
/// It returns the warnings that a start would log.
///
/// # Errors
///
/// The error that a start would fail with.
pub async fn check(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let held = hold(&settings.path)?;
    try_beside(&held.location, settings).await?;
    if held.location.is_empty() {
        return Ok(Vec::new());
    }
    let path = &held.location.path;
    let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
    let mut opened = NoCheckpoint::open(path).await.map_err(unusable)?;
    let fit = schema::inspect(&mut opened.db, path).await;
    let fit = match fit {
        Ok(fit) if fit.is_current => prepare::rehearse(&mut opened.db, settings)
            .await
            .map(|begun| begun.not_fetched)
            .map_err(unusable),
        other => other.map(|_| Vec::new()),
    };
    opened.close().await.map_err(unusable)?;
    fit
}

/// Creates a database in a folder of its own beside the operator's, opens it, and removes it.
async fn try_beside(location: &Location, settings: &Settings) -> Result<(), OpenError> {
    let work_folder = WorkFolder::beside(&location.path)
        .map_err(|error| location::at(&location.folder, &error))?;
    let settings = Settings {
        path: work_folder.file("trial.db"),
        ..settings.clone()
    };
    let (store, writer) = open(&settings).await?;
    drop(store);
    writer
        .await
        .map_err(|error| unusable(&location.folder, &error.to_string()))
}
