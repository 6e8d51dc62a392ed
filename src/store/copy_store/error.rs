//! Reasons why an installation was not copied.

use std::path::PathBuf;

use crate::store::postgres::{self, TargetFault};
use crate::store::sqlite;

/// Reason why an installation was not copied to the end; each tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum CopyStoreError {
    /// The database that is copied cannot be used.
    #[error(transparent)]
    Source(#[from] sqlite::CopyError),
    /// The database into which it is copied cannot be used.
    #[error(transparent)]
    Target(#[from] postgres::OpenError),
    /// Another copy into the database runs.
    #[error("another copy-store into the same database runs: let it end, or stop it")]
    Busy,
    /// The database holds something else than an unfinished copy.
    #[error("cannot copy into {place}: {reason}")]
    InUse {
        /// Place of the database.
        place: String,
        /// What it holds, and the cure.
        reason: String,
    },
    /// The database does not take a row.
    #[error(
        "row {row} of {table} is not taken by the PostgreSQL database: {reason}; its values: {values}. Repair the row in {path} \
         with sqlite3, or remove it, and run copy-store again"
    )]
    Refused {
        /// Path of the file that is copied.
        path: PathBuf,
        /// Table of the target for which the row is meant.
        table: &'static str,
        /// Key of the row.
        row: i64,
        /// What the server said.
        reason: String,
        /// Values of the row, without its body.
        values: String,
    },
    /// The connection to the database was lost, or the database can do no more.
    #[error("{place}: {reason}. What is copied stays: run copy-store again, and it goes on")]
    Lost {
        /// Place of the database.
        place: String,
        /// Error of the server or of the system, in words.
        reason: String,
    },
    /// What is in the target is not what is in the source.
    #[error(
        "table {table} of {place} is not what {path} holds, from row {row} on: something else has written to one of them. Find out what, and run \
         copy-store again: it begins anew"
    )]
    Differs {
        /// Path of the file that is copied.
        path: PathBuf,
        /// Place of the database.
        place: String,
        /// Table that differs.
        table: &'static str,
        /// Key of the first row that differs.
        row: i64,
    },
    /// The command was told to stop.
    #[error("stopped. What is copied stays: run copy-store again, and it goes on")]
    Stopped,
}

impl CopyStoreError {
    /// Returns `true` if another process works on one of the databases.
    pub fn is_held(&self) -> bool {
        let held = |error: &sqlite::CopyError| {
            matches!(
                error,
                sqlite::CopyError::Unusable(sqlite::OpenError::Held(_))
            )
        };
        match self {
            CopyStoreError::Busy => true,
            CopyStoreError::Source(error) => held(error),
            _ => false,
        }
    }

    /// Returns `true` if the address of the database is at fault.
    pub fn is_of_address(&self) -> bool {
        matches!(
            self,
            CopyStoreError::Target(postgres::OpenError::Address { .. })
        )
    }

    pub(super) fn lost(place: &str, fault: TargetFault) -> CopyStoreError {
        let (TargetFault::Refused(reason) | TargetFault::Lost(reason)) = fault;
        CopyStoreError::Lost {
            place: place.to_owned(),
            reason,
        }
    }
}
