//! Opening the database: every check that is made before a callback is answered.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Notify, mpsc};

use super::aside::Aside;
use super::checkpoint::{self, Written};
use super::files::{self, Files};
use super::lock::Lock;
use super::place::{self, Place, unusable};
use super::prepare::{self, Begun};
use super::readers::Readers;
use super::schema;
use super::space::Space;
use super::visit::Visit;
use super::workshop::Workshop;
use super::writer::Writer;
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
        "{0} is missing or empty but its -wal is there: restore the database file beside it, or move the -wal away to start anew"
    )]
    Orphaned(PathBuf),
    /// What a restore has put aside, and nothing in its place.
    #[error(
        "{0} is missing or empty, and beside it is {0}.replaced or {0}.replaced-wal, the database before a restore, which was perhaps broken off: \
         move what is there of the two back to {0} and {0}-wal, or move it away to start anew or restore a backup"
    )]
    BrokenOff(PathBuf),
    /// A write-ahead log beside a link, where SQLite does not look for it.
    #[error(
        "{wal} lies beside a link, and the database is {path}: move the log there if it belongs to it, or else away"
    )]
    Stray {
        /// The log.
        wal: PathBuf,
        /// Where the link leads to.
        path: PathBuf,
    },
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

/// A database that is fit to be opened, as far as its files tell, and that nobody else works on. Nothing has been
/// opened yet; when it is dropped, everything is as it was.
#[derive(Debug)]
pub struct Held {
    pub(super) place: Place,
    pub(super) lock: Lock,
}

/// Makes sure that the database's files can be used, and keeps other instances off.
///
/// # Errors
///
/// [`OpenError`]; nothing has changed then.
pub fn hold(path: &Path) -> Result<Held, OpenError> {
    let place = Place::find(path)?;
    place.refuse_other_names()?;
    place.refuse_broken_off()?;
    place.refuse_orphan()?;
    place.refuse_unwritable()?;
    let lock = Lock::take(&place)?;
    Ok(Held { place, lock })
}

/// Everything that works on an open database.
struct Opened {
    db: SqliteConnection,
    folding: SqliteConnection,
    readers: Readers,
    files: Files,
    begun: Begun,
}

impl Held {
    /// Opens the database, creating it where there is none, and brings its schema up to date. That a run has begun
    /// is the last that is written.
    ///
    /// Beside the handle and the projects' gates it returns the writer, which the caller runs: it ends, with a last
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
            HashMap<Id, Gate>,
            impl Future<Output = Result<(), StoreError>> + Send + use<>,
        ),
        OpenError,
    > {
        let Held { place, lock } = self;
        let opened = Opened::of(&place.path, settings).await?;
        let space = Arc::new(Space::in_folder(place.folder, settings.free_min_bytes));
        let written = Arc::new(Written::default());
        let mut writer = Writer {
            db: opened.db,
            files: opened.files,
            projects: opened.begun.projects,
            next_delivery: opened.begun.next_delivery,
            space: space.clone(),
            written: written.clone(),
            aside: Aside::new(),
        };
        let (readers, folding) = (opened.readers, opened.folding);
        let (writes, inbox) = mpsc::channel(settings.waiting_max);
        let store = Store {
            writes,
            readers: readers.clone(),
            path: place.path,
            space: space.clone(),
            news: Arc::new(Notify::new()),
            asks: Arc::new(Notify::new()),
            met: Arc::default(),
            written: written.clone(),
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
            let outcome = match outcome {
                Ok(()) => writer.close().await,
                Err(error) => {
                    writer.abandon().await;
                    Err(error)
                }
            };
            // Last, when SQLite has closed the file.
            drop(lock);
            outcome
        };
        for sentence in &opened.begun.unasked {
            tracing::warn!("{sentence}");
        }
        Ok((store, opened.begun.gates, run))
    }
}

impl Opened {
    /// Opens all connections. Where that fails, they are closed again, the last one tidying up.
    async fn of(path: &Path, settings: &Settings) -> Result<Opened, OpenError> {
        let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
        let options = schema::options(path);
        let mut db = options.connect().await.map_err(unusable)?;
        if let Err(error) = schema::bring_up(&mut db, path).await {
            let _ = db.close().await;
            return Err(error);
        }
        let others = async {
            let folding = options.connect().await?;
            let readers = Readers::open(options).await?;
            sqlx::Result::Ok((folding, readers))
        };
        let (folding, readers) = match others.await {
            Ok(others) => others,
            Err(error) => {
                let _ = db.close().await;
                return Err(unusable(error));
            }
        };
        let begun = prepare::begin(&mut db, settings).await.map_err(unusable);
        let begun = match begun {
            Ok(begun) => files(&mut db, path).await.map(|files| (begun, files)),
            Err(error) => Err(error),
        };
        match begun {
            Ok((begun, files)) => Ok(Opened {
                db,
                folding,
                readers,
                files,
                begun,
            }),
            Err(error) => {
                readers.close().await;
                let _ = folding.close().await;
                let _ = db.close().await;
                Err(error)
            }
        }
    }
}

async fn files(db: &mut SqliteConnection, path: &Path) -> Result<Files, OpenError> {
    let (page_bytes, pages) = files::pages(db)
        .await
        .map_err(|error| unusable(path, &error.to_string()))?;
    Files::of(path, page_bytes, pages).map_err(|error| place::at(path, &error))
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
        HashMap<Id, Gate>,
        impl Future<Output = Result<(), StoreError>> + Send + use<>,
    ),
    OpenError,
> {
    hold(&settings.path)?.open(settings).await
}

/// Does what a start does, and undoes it: holds the database, makes and opens a new one beside it, which only doing
/// it can tell is possible, and writes what a start writes into the one that is there, to be rolled back.
///
/// It returns what a start would warn about.
///
/// # Errors
///
/// What a start would fail with.
pub async fn check(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let held = hold(&settings.path)?;
    try_beside(&held.place, settings).await?;
    if held.place.is_empty() {
        return Ok(Vec::new());
    }
    let path = &held.place.path;
    let unusable = |error: sqlx::Error| unusable(path, &error.to_string());
    let mut visit = Visit::open(path).await.map_err(unusable)?;
    let fit = schema::inspect(&mut visit.db, path).await;
    let fit = match fit {
        Ok(fit) if fit.is_current => prepare::rehearse(&mut visit.db, settings)
            .await
            .map(|begun| begun.unasked)
            .map_err(unusable),
        other => other.map(|_| Vec::new()),
    };
    visit.close().await.map_err(unusable)?;
    fit
}

/// Makes a database in a folder of its own beside the other one, opens it, and removes it.
async fn try_beside(place: &Place, settings: &Settings) -> Result<(), OpenError> {
    let workshop =
        Workshop::within(&place.folder).map_err(|error| place::at(&place.folder, &error))?;
    let settings = Settings {
        path: workshop.file("trial.db"),
        ..settings.clone()
    };
    let (store, _, writer) = open(&settings).await?;
    drop(store);
    writer
        .await
        .map_err(|error| unusable(&place.folder, &error.to_string()))
}
