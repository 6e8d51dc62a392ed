//! Errors of SQLite, by what the caller does next.

use super::StoreError;

/// Classifies an error of a read, which never ends the process: a reader that finds no free file descriptor, say,
/// proves nothing about the database. The writer finds out if the file cannot be trusted.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match StoreError::of_writer(error) {
            StoreError::Broken(reason) | StoreError::Rejected(reason) => StoreError::Unread(reason),
            other => other,
        }
    }
}

impl StoreError {
    /// Classifies an error of the writing connection.
    pub(super) fn of_writer(error: sqlx::Error) -> StoreError {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok());
        // These are SQLite's primary result codes. The rest of an extended code tells more, but not what to do.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => StoreError::Locked,
            Some(13) => StoreError::Full,
            // These are PERM, READONLY, IOERR, CORRUPT, CANTOPEN and NOTADB.
            Some(3 | 8 | 10 | 11 | 14 | 26) => StoreError::Broken(error.to_string()),
            Some(_) => StoreError::Rejected(error.to_string()),
            None => match error {
                sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => StoreError::Closed,
                error => StoreError::Rejected(error.to_string()),
            },
        }
    }
}
