//! Errors of copies of the database, both of backups and of restores.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;
use tokio_util::sync::CancellationToken;

use super::open::OpenError;

/// Reason why there is no copy of the database.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database cannot be used.
    #[error("{0}")]
    Unusable(#[from] OpenError),
    /// There is no database to copy.
    #[error("{0} is missing or empty: there is nothing to copy")]
    Nothing(PathBuf),
    /// The backup would overwrite another file.
    #[error("{0} is there already: name another file, or add --overwrite")]
    Exists(PathBuf),
    /// The copy is the database.
    #[error("{0} is a file of the database itself: name another one")]
    Itself(PathBuf),
    /// SQLite would read the copy as a part of the file beside it, which may be the database of a running service.
    #[error("{0} would be read as a part of {1}: name another one")]
    LogOf(PathBuf, PathBuf),
    /// The backup would overwrite something that is not a regular file.
    #[error("{0} is no regular file: name another one")]
    Irregular(PathBuf),
    /// A file lies beside the backup that SQLite would take for a part of it.
    #[error(
        "{0} is there, and SQLite would read it as a part of the copy: move it away, name another file, or add --overwrite, which removes it"
    )]
    Leftover(PathBuf),
    /// The restore would replace a database that has content, or what is left of one.
    #[error(
        "{0} is a database already, or its -wal or -journal is there: add --replace, and it is put aside as {0}.replaced, together with these"
    )]
    Occupied(PathBuf),
    /// The database file is damaged.
    #[error("{path} is damaged: {reason}; use another backup")]
    Damaged {
        /// Path of the damaged file.
        path: PathBuf,
        /// Damage that SQLite has found.
        reason: String,
    },
    /// The backup is another file than the one that was made.
    #[error(
        "{0} is not the backup that was made: its SHA-256 is not the one in {0}.sha256; use another backup, or remove that file if you changed the backup yourself"
    )]
    Checksum(PathBuf),
    /// The checksum of the backup cannot be read.
    #[error("{0}: {1}; make it readable, or remove it if the backup needs no check")]
    NoChecksum(PathBuf, String),
    /// The backup that came from the service is not the one that the service sent.
    #[error("what came is not what the service sent: its SHA-256 is another one; try again")]
    Garbled,
    /// There is no room for a copy beside the database.
    #[error(
        "a copy of {needed_bytes} bytes has no room beside the database, where {free_bytes} are free and {free_min_bytes} stay for callbacks"
    )]
    NoRoom {
        /// Size that the copy can have.
        needed_bytes: u64,
        /// Space that is free.
        free_bytes: u64,
        /// Space that is not for copies.
        free_min_bytes: u64,
    },
    /// The database is in no file.
    #[error(
        "the database is on a PostgreSQL server: copy it with the server's own tools, such as pg_dump and pg_restore"
    )]
    OnServer,
    /// The command was told to stop.
    #[error("stopped: nothing was copied")]
    Stopped,
    /// The system refuses access to a file or folder.
    #[error("cannot copy to {path}: {error}")]
    System {
        /// Path of the file or folder that the system does not let this program use.
        path: PathBuf,
        /// Error text of the system, or of SQLite.
        error: String,
    },
}

impl CopyError {
    /// Makes the error for a copy of the database that cannot be written to its destination.
    #[expect(clippy::needless_pass_by_value, reason = "map_err hands over a value")]
    pub(super) fn system(path: &Path, error: impl ToString) -> CopyError {
        CopyError::System {
            path: path.to_owned(),
            error: error.to_string(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "map_err hands over a value")]
    pub(super) fn damaged(path: &Path, reason: impl ToString) -> CopyError {
        CopyError::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// SQLite's result codes for a file that cannot be written: FULL, CANTOPEN, and of IOERR those of writing, syncing and
/// truncating.
const OF_WRITING: [i32; 7] = [13, 14, 778, 1034, 1290, 1546, 4874];

/// Returns `true` if an error during SQLite's copy concerns the file that it wrote, rather than the one that it read.
pub(super) fn is_of_writing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| OF_WRITING.contains(&code))
}

/// Number of SQLite's steps after which a connection looks if it is to stop: a few rows, which can be large.
const STEPS: i32 = 100;

/// Makes a connection break off what it does, and what it does later, when `stop` is cancelled.
pub(super) async fn heed_stop(
    db: &mut SqliteConnection,
    stop: &CancellationToken,
) -> sqlx::Result<()> {
    let stop = stop.clone();
    let mut db = db.lock_handle().await?;
    db.set_progress_handler(STEPS, move || !stop.is_cancelled());
    Ok(())
}

/// Returns the outcome of a copy. An error is that of the stop, if there was one: whatever failed was broken off.
pub(super) fn unless_stopped<T>(
    copied: Result<T, CopyError>,
    stop: &CancellationToken,
) -> Result<T, CopyError> {
    match copied {
        Err(_) if stop.is_cancelled() => Err(CopyError::Stopped),
        copied => copied,
    }
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
