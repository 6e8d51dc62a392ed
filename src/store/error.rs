//! Errors of the store.

#[cfg(feature = "postgres")]
use super::postgres;
use super::sqlite;

/// Reason why the database did not do what was requested, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another program holds the database's lock. The caller may try again.
    #[error("the database is locked by another program")]
    Locked,
    /// The disk is full, or the database file has reached its limit. The caller may try again when there is space.
    #[error("the disk is full")]
    Full,
    /// A file of the database has reached the maximum size of a file that the system allows this process (`ulimit -f`).
    /// The caller may try again once there is free space inside the file.
    #[error(
        "a file of the database has reached the file-size limit of {bytes} bytes: raise it (ulimit -f, LimitFSIZE=), and start anew"
    )]
    FileLimit {
        /// The limit in bytes.
        bytes: u64,
    },
    /// Less space is left than is reserved for processing the inbox. The caller may try again when there is more.
    #[error(
        "little space: {free_bytes} bytes are free, and database.free_min_bytes is {free_min_bytes}"
    )]
    LittleSpace {
        /// Number of bytes that are free on the disk.
        free_bytes: u64,
        /// Number of bytes that are reserved for processing the inbox.
        free_min_bytes: u64,
    },
    /// More writes wait for the disk than are allowed. The caller may try again.
    #[error("too much is waiting for the disk")]
    Overloaded,
    /// The database's server cannot be reached, does not answer in time, or may not be written to, as after a failover.
    /// What was under way has perhaps taken effect. The caller may try again.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A read of the database failed. The caller may try again.
    #[error("the database could not be read: {0}")]
    Unread(String),
    /// The cursor is not one that this list has made. The caller must begin with the first page.
    #[error("no page of this list ended there")]
    NoSuchCursor,
    /// The database refuses a single write. Other writes are not affected.
    #[error("the database refused the write: {0}")]
    Rejected(String),
    /// The disk or the file cannot be trusted any more. The process must stop.
    #[error("the database cannot be trusted any more: {0}")]
    Broken(String),
    /// The writer has stopped. The process must stop, too.
    #[error("the database is closed")]
    Closed,
}

/// Reason why the database could not be opened; each tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite database file cannot be used.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The PostgreSQL database cannot be used.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

impl OpenError {
    /// Returns `true` if another instance of the service works on the database.
    pub fn is_held(&self) -> bool {
        match self {
            OpenError::Sqlite(error) => matches!(error, sqlite::OpenError::Held(_)),
            #[cfg(feature = "postgres")]
            OpenError::Postgres(_) => false,
        }
    }

    /// Returns `true` if the configuration is at fault, so that to start again does not help.
    pub fn is_misconfigured(&self) -> bool {
        match self {
            OpenError::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            OpenError::Postgres(error) => error.is_misconfigured(),
        }
    }
}
