//! Settings of the backend, and the reasons why it could not be opened.

use secrecy::SecretString;

use super::clock::ClockSource;
use super::connect::Connector;
use super::error::Fault;
use super::refusal::{Refusal, refusal};
use crate::store::TargetSettings;
use number_order::{Id, Time};

/// Address of the database, and the projects and limits that it serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the database: `postgres://USER:PASSWORD@HOST/NAME?sslmode=MODE`. The caller says what of TLS is required:
    /// without `sslmode`, a server that has no TLS is taken as it is.
    pub url: SecretString,
    /// Name of this replica, for operators.
    pub name: String,
    /// Maximum number of callbacks that wait for their commit at once.
    pub waiting_max: usize,
    /// `true` if the operator accepts a server that may lose what it has committed: one that does not wait for its disk
    /// (`fsync = off`), or whose commits do not (`synchronous_commit = off`).
    pub lossy_commits: bool,
    /// Clock by which leases, the rate and the circuit are judged.
    pub clock: ClockSource,
    /// Projects that are served, each with the number of its orders that may be fetched in a second; `None` if none
    /// may.
    pub projects: Vec<(Id, Option<f64>)>,
    /// Targets that are told of events.
    pub targets: Vec<TargetSettings>,
    /// Time at which the service starts, by the program's clock.
    pub now: Time,
}

/// Reason why the database could not be opened; each tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address of the database is none.
    #[error("the address of the database cannot be used: {reason}")]
    Address {
        /// What is wrong with the address.
        reason: String,
    },
    /// The database was changed by a later version of this program.
    #[error(
        "{place} can be used from schema version {found} on, but this program knows only up to {known}: use the newer program"
    )]
    Newer {
        /// Place of the database.
        place: String,
        /// Oldest schema version whose program may still work on the database.
        found: i64,
        /// Newest version of the schema that this program knows.
        known: i64,
    },
    /// The database belongs to another program.
    #[error("{place} has tables of another program: create a database for sinch-callbacks alone")]
    Foreign {
        /// Place of the database.
        place: String,
    },
    /// The server refuses what the configuration says. To start again does not help.
    #[error("cannot use {place}: {reason}")]
    Refused {
        /// Place of the database.
        place: String,
        /// What the server said, and the cure.
        reason: String,
    },
    /// Another installation is being copied into the database.
    #[error(
        "{place} holds an unfinished copy of {from}: run copy-store again until it says that all is copied, or give the address of an empty database"
    )]
    Unfinished {
        /// Place of the database.
        place: String,
        /// Path of the file that is being copied.
        from: String,
    },
    /// The server promises less than this program needs.
    #[error("cannot use {place}: {reason}")]
    Unfit {
        /// Place of the database.
        place: String,
        /// What the server lacks, and the cure.
        reason: String,
    },
    /// The database cannot be used.
    #[error("cannot use {place}: {reason}")]
    Unusable {
        /// Place of the database.
        place: String,
        /// Error of the server or of the system, in words.
        reason: String,
    },
}

impl Settings {
    /// Returns the place of the database in words, without user and password.
    pub(in crate::store) fn place(&self) -> String {
        match Connector::new(self) {
            Ok(connector) => connector.place(),
            Err(_) => "a database whose address cannot be used".to_owned(),
        }
    }
}

impl OpenError {
    /// Returns the error of a start that failed by the given fault.
    pub(super) fn of(place: String, fault: &Fault) -> OpenError {
        let Refusal { cure, is_lasting } = refusal(fault);
        let reason = match cure {
            Some(cure) => format!("{fault}: {cure}"),
            None => fault.to_string(),
        };
        match fault {
            Fault::Unfit(_) => OpenError::Unfit { place, reason },
            _ if is_lasting => OpenError::Refused { place, reason },
            _ => OpenError::Unusable { place, reason },
        }
    }

    /// Returns `true` if the configuration is at fault, so that to start again does not help.
    pub(in crate::store) fn is_misconfigured(&self) -> bool {
        match self {
            OpenError::Address { .. } | OpenError::Refused { .. } => true,
            OpenError::Newer { .. }
            | OpenError::Foreign { .. }
            | OpenError::Unfinished { .. }
            | OpenError::Unfit { .. }
            | OpenError::Unusable { .. } => false,
        }
    }
}
