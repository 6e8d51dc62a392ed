//! Errors of the service: reasons why it does not start, and why it stops by itself.

use std::io;
use std::net::SocketAddr;

use crate::clock::ClockError;
use crate::store::{OpenError, StoreError};
use crate::traces::TracesError;
use crate::worker::EndpointError;
use number_order::Id;
use sinch_numbers::api::BuildError;

/// Reason why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system's clock cannot be used.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The database cannot be used.
    #[error("database: {0}")]
    Database(#[from] OpenError),
    /// The service cannot listen on a configured address.
    #[error("{key} = {address}: {error}; is something else listening there?")]
    Listen {
        /// Name of the address's key in the configuration.
        key: &'static str,
        /// Address from the configuration.
        address: SocketAddr,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A socket that systemd passes cannot be used.
    #[error("LISTEN_FDS: {0}; the socket unit may pass TCP listeners only (ListenStream=)")]
    Passed(io::Error),
    /// Systemd passes a listener that is not one of the service's two.
    #[error(
        "LISTEN_FDS: {0} is passed, but neither callbacks.listen nor operators.listen has that port; \
         make the socket unit and the configuration agree"
    )]
    PassedElsewhere(SocketAddr),
    /// The system has no thread left for a part of the service.
    #[error("{0} cannot be started: {1}")]
    Thread(&'static str, io::Error),
    /// The client of a project's API cannot be built.
    #[error("project {project}: {error}")]
    Client {
        /// Project whose client cannot be built.
        project: Id,
        /// Reason why the client cannot be built.
        error: BuildError,
    },
    /// A target cannot be told anything.
    #[error("target {target}: {error}")]
    Target {
        /// Name of the target.
        target: String,
        /// Reason why there is no client of its URL.
        error: EndpointError,
    },
    /// No spans can be sent although the environment asks for it.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

impl StartError {
    /// Returns `true` if another listener has the address already.
    pub fn is_address_in_use(&self) -> bool {
        match self {
            StartError::Listen { error, .. } => error.kind() == io::ErrorKind::AddrInUse,
            StartError::Clock(_)
            | StartError::Database(_)
            | StartError::Passed(_)
            | StartError::PassedElsewhere(_)
            | StartError::Thread(..)
            | StartError::Client { .. }
            | StartError::Target { .. }
            | StartError::Traces(_) => false,
        }
    }
}

/// Reason why the service stopped without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database cannot be trusted or used any more.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A listener failed.
    #[error("a listener failed: {0}")]
    Listener(#[from] io::Error),
    /// A part of the service ended, which it never does by itself.
    #[error("{0} ended")]
    Ended(&'static str),
}
