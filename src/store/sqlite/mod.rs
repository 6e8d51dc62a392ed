//! SQLite's backend.
//!
//! One file in SQLite's WAL mode, `synchronous = FULL`: a write is on disk when its call here returns. Writes go
//! through one task (`writer`), reads through a small pool beside it. Decisions are made by the pure rules of
//! [`number_order`], inside the transaction that records them.

mod alerts;
mod aside;
mod backup;
mod batch;
mod checkpoint;
mod claims;
mod codes;
mod command;
mod copy;
mod fetches;
mod files;
mod inbox;
mod leave;
mod lock;
mod open;
mod pending;
mod place;
mod prepare;
mod process;
mod prune;
mod queries;
mod readers;
mod restore;
mod rows;
mod schema;
mod space;
mod summary;
mod survey;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;
mod unreadable;
mod vacuum;
mod visit;
mod words;
mod workshop;
mod write_probe;
mod writer;

pub use alerts::{AlertFilter, AlertRow};
pub use backup::backup;
pub use claims::{Claim, ClaimOrder, ClaimRequest};
pub use copy::CopyError;
pub use fetches::{Circuit, FetchResult, Recorded, WatchRequest};
pub use inbox::{DeliveryContent, NewDelivery};
pub use leave::{Forgot, Holdings};
pub use open::{Held, OpenError, Settings, check, hold, open};
pub use place::exposed;
pub use process::{ProcessReport, ProcessRequest, Processed};
pub use prune::{Pruned, RetentionPeriods};
pub use queries::{
    Body, DeliveryRow, FetchRow, Found, Listing, OrderDetail, OrderFilter, OrderRow, ParkedRow,
    TransitionRow,
};
pub use restore::restore;
pub use summary::{Convergence, Standing, StateCount, Summary};
pub use survey::Copied;
pub use unreadable::UnreadableRow;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

use checkpoint::Written;
use command::{Call, WriteCommand};
use readers::Readers;
use space::Space;
use unreadable::Met;
use writer::Write;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Write>,
    readers: Readers,
    path: PathBuf,
    space: Arc<Space>,
    pending: Arc<Notify>,
    asks: Arc<Notify>,
    met: Arc<Met>,
    written: Arc<Written>,
}

/// Result of accepting a delivery; in every case it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The delivery is new.
    New,
    /// The same event was there already and has been counted again.
    Duplicate,
    /// The same event was there with another body; both are kept.
    Conflict,
}

/// Reason why the database did not do as asked, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another program holds the database's lock. Try again.
    #[error("the database is locked by another program")]
    Locked,
    /// The disk, or the file's limit, is full. Try again when there is space.
    #[error("the disk is full")]
    Full,
    /// Less space is left than is reserved for processing the inbox. Try again when there is more.
    #[error(
        "little space: {free_bytes} bytes are free, and database.free_min_bytes is {free_min_bytes}"
    )]
    LittleSpace {
        /// Number of bytes that are free.
        free_bytes: u64,
        /// Number of bytes that are reserved.
        free_min_bytes: u64,
    },
    /// More writes wait for the disk than are allowed. Try again.
    #[error("too much is waiting for the disk")]
    Overloaded,
    /// A read failed. Try again.
    #[error("the database could not be read: {0}")]
    Unread(String),
    /// The database will not take this one write; others are not concerned.
    #[error("the database refused the write: {0}")]
    Rejected(String),
    /// The disk or the file cannot be trusted any more. Stop.
    #[error("the database cannot be trusted any more: {0}")]
    Broken(String),
    /// The writer has stopped. Stop too.
    #[error("the database is closed")]
    Closed,
}

/// Error of a read. It never ends the process: a reader that finds no free file descriptor, say, proves nothing about
/// the database. The writer finds out if the file cannot be trusted.
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
    fn of_writer(error: sqlx::Error) -> StoreError {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok());
        // SQLite's primary result codes; the rest of an extended code tells more, but not what to do.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => StoreError::Locked,
            Some(13) => StoreError::Full,
            // PERM, READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB
            Some(3 | 8 | 10 | 11 | 14 | 26) => StoreError::Broken(error.to_string()),
            Some(_) => StoreError::Rejected(error.to_string()),
            None => match error {
                sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => StoreError::Closed,
                error => StoreError::Rejected(error.to_string()),
            },
        }
    }
}

impl Store {
    /// Returns `true` if [`Store::accept`] would refuse at once, since too much waits or too little space is left. This
    /// may change at any moment; knowing it saves work that would be in vain.
    pub fn is_full(&self) -> bool {
        self.writes.capacity() == 0 || self.little_space().is_some()
    }

    /// Reason why nothing more may come in, if space is short: [`StoreError::LittleSpace`].
    pub fn little_space(&self) -> Option<StoreError> {
        self.space.little()
    }

    /// Puts a delivery into the inbox, where it waits to be processed. When this returns, it is on disk.
    ///
    /// It never waits for a place in the queue: what is too much is refused at once.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is promised then.
    pub async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError> {
        self.want_space()?;
        let (call, answer) = Call::new(delivery);
        self.writes
            .try_send(Write::Accept(call))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?;
        let accepted = answer.await.map_err(|_| StoreError::Closed)??;
        if accepted != Accepted::Duplicate {
            self.pending.notify_one();
        }
        Ok(accepted)
    }

    /// Processes the deliveries that have waited longest, and records the decisions.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing has changed then.
    pub async fn process(&self, request: ProcessRequest) -> Result<ProcessReport, StoreError> {
        let pending = pending::read(&self.readers, request.deliveries_max).await?;
        if pending.taken == 0 {
            return Ok(ProcessReport {
                newest: pending.newest,
                ..ProcessReport::default()
            });
        }
        let report = self.submit(Write::Process, (request, pending)).await?;
        self.met.note(&report.unreadable);
        if !report.processed.is_empty() {
            self.asks.notify_waiters();
        }
        Ok(report)
    }

    /// Records the results of fetching claimed orders, and releases them; returns the effect of each.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the leases stand then, until they run out.
    pub async fn record(&self, outcomes: Arc<[FetchResult]>) -> Result<Vec<Recorded>, StoreError> {
        self.submit(Write::Record, outcomes).await
    }

    /// Wakes the inbox worker. It is a hint: a poll is the guarantee.
    pub fn pending(&self) -> &Notify {
        &self.pending
    }

    /// Wakes the fetchers. It is a hint: a poll is the guarantee.
    pub fn asks(&self) -> &Notify {
        &self.asks
    }

    /// Sets the listener that receives the result of checkpoints, each second or more often. The first one stays.
    pub fn on_checkpoint(&self, listener: impl Fn(&Result<(), String>) + Send + Sync + 'static) {
        self.written.listen(Box::new(listener));
    }

    fn want_space(&self) -> Result<(), StoreError> {
        self.little_space().map_or(Ok(()), Err)
    }

    async fn write<C: WriteCommand>(&self, command: C) -> Result<C::Reply, StoreError> {
        self.submit(|call| Write::Command(Box::new(call)), command)
            .await
    }

    async fn submit<A, T>(
        &self,
        kind: impl FnOnce(Call<A, T>) -> Write,
        args: A,
    ) -> Result<T, StoreError> {
        let (call, answer): (_, oneshot::Receiver<_>) = Call::new(args);
        self.writes
            .send(kind(call))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
