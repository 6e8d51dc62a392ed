//! What there is to say of copies of the database, whichever way they go.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::open::OpenError;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database cannot be used.
    #[error("{0}")]
    Unusable(#[from] OpenError),
    /// There is nothing to copy.
    #[error("{0} is missing or empty: there is nothing to copy")]
    Nothing(PathBuf),
    /// The backup would take the place of something.
    #[error("{0} is there already: name another file, or add --overwrite")]
    Exists(PathBuf),
    /// The backup would take the place of the database.
    #[error("{0} is a file of the database itself: name another one")]
    Itself(PathBuf),
    /// The backup would take the place of what is not one.
    #[error("{0} is no regular file: name another one")]
    Irregular(PathBuf),
    /// SQLite would take it for a part of the backup.
    #[error(
        "{0} is there, and SQLite would read it as a part of the copy: move it away, name another file, or add --overwrite, which removes it"
    )]
    Leftover(PathBuf),
    /// The database holds something.
    #[error(
        "{0} is a database already: add --replace, and it is put aside as {0}.replaced, together with its -wal"
    )]
    Occupied(PathBuf),
    /// The file is not whole.
    #[error("{path} is damaged: {reason}; use another backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite has found.
        reason: String,
    },
    /// The system refuses.
    #[error("cannot copy to {path}: {error}")]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system says, or SQLite.
        error: String,
    },
}

impl CopyError {
    /// The copy cannot be written to its place.
    pub(super) fn system(path: &Path, error: impl ToString) -> CopyError {
        CopyError::System {
            path: path.to_owned(),
            error: error.to_string(),
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl ToString) -> CopyError {
        CopyError::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// SQLite's result codes for a file that cannot be written: FULL, CANTOPEN, and of IOERR those of writing, syncing and
/// cutting.
const OF_WRITING: [i32; 7] = [13, 14, 778, 1034, 1290, 1546, 4874];

/// Whether an error that came up while SQLite copied is about the file that it wrote, rather than the one that it read.
pub(super) fn is_of_writing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| OF_WRITING.contains(&code))
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
