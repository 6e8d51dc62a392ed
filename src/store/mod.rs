//! The database: the only room that names sqlx.
//!
//! One file in SQLite's WAL mode, `synchronous = FULL`: what a call here returned after a write is on
//! disk. Writes go through one task (`writer`), reads through a small pool beside it. Decisions are
//! made by the pure rules of [`crate::order`], inside the transaction that records them.

mod aside;
mod asks;
mod backup;
mod batch;
mod beat;
mod checkpoint;
mod claims;
mod conditions;
mod copy;
mod files;
mod inbox;
mod leave;
mod lock;
mod look;
mod news;
mod open;
mod place;
mod prepare;
mod queries;
mod readers;
mod restore;
mod retain;
mod rows;
mod schema;
mod shrink;
mod space;
mod summary;
mod survey;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;
mod unreadable;
mod visit;
mod words;
mod workshop;
mod writer;

pub use asks::{Gate, Outcome, Settled, WatchRequest};
pub use backup::backup;
pub use claims::{Claim, ClaimRequest, Turn};
pub use conditions::{ConditionRow, Which};
pub use copy::CopyError;
pub use inbox::{NewDelivery, Subject};
pub use leave::{Forgot, Holdings};
pub use look::{LookReport, LookRequest, Looked};
pub use open::{Held, OpenError, Settings, check, hold, open};
pub use place::exposed;
pub use queries::{
    AnswerRow, Body, DeliveryRow, Found, Listing, OrderFilter, OrderHistory, OrderRow, ParkedRow,
    TransitionRow,
};
pub use restore::restore;
pub use retain::{Cleared, Spans};
pub use summary::{Convergence, Standing, StateCount, Summary};
pub use survey::Copied;
pub use unreadable::UnreadableRow;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::order::{Id, OrderKey, Time};
use checkpoint::Written;
use readers::Readers;
use space::Space;
use unreadable::Met;
use writer::{Call, Write};

/// How many orders are made known in one transaction, so that no callback waits long for a list.
const WATCHED_MAX: usize = 3000;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Write>,
    readers: Readers,
    path: PathBuf,
    space: Arc<Space>,
    news: Arc<Notify>,
    asks: Arc<Notify>,
    met: Arc<Met>,
    written: Arc<Written>,
}

/// What accepting a delivery came to; in every case it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is new.
    New,
    /// The same event was there already and has been counted again.
    Repeat,
    /// The same event was there with another body; both are kept.
    Conflict,
}

/// Why the database did not do as asked, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another program holds the database's lock. Try again.
    #[error("the database is locked by another program")]
    Locked,
    /// The disk, or the file's limit, is full. Try again when there is space.
    #[error("the disk is full")]
    Full,
    /// Less space is left than is kept for working off what is in. Try again when there is more.
    #[error(
        "little space: {free_bytes} bytes are free, and database.free_min_bytes is {free_min_bytes}"
    )]
    LittleSpace {
        /// What is free.
        free_bytes: u64,
        /// What is kept.
        free_min_bytes: u64,
    },
    /// More is waiting for the disk than is allowed. Try again.
    #[error("too much is waiting for the disk")]
    Overloaded,
    /// What was to be read could not be. Try again.
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

/// Of whatever reads. It never ends the process: that a reader finds no free file descriptor, say, tells nothing
/// of the database, and whether the file can be trusted is for the writer to find out.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match StoreError::of_writer(error) {
            StoreError::Broken(reason) | StoreError::Rejected(reason) => StoreError::Unread(reason),
            other => other,
        }
    }
}

impl StoreError {
    /// Judges an error of the writing connection.
    fn of_writer(error: sqlx::Error) -> StoreError {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok());
        // SQLite's primary result codes; the rest of an extended code says more, but not what to do.
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
    /// Whether [`Store::accept`] would refuse at once, since too much waits or too little space is left. It
    /// may change at any moment; knowing it saves work that would be in vain.
    pub fn is_full(&self) -> bool {
        self.writes.capacity() == 0 || self.little_space().is_some()
    }

    /// Why nothing more may come in, if it is for want of space: [`StoreError::LittleSpace`].
    pub fn little_space(&self) -> Option<StoreError> {
        self.space.little()
    }

    /// Puts a delivery into the inbox, where it waits to be looked at. When this returns, it is on disk.
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
        if accepted != Accepted::Repeat {
            self.news.notify_one();
        }
        Ok(accepted)
    }

    /// Looks at the deliveries that have waited longest, and settles them.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing has changed then.
    pub async fn look(&self, request: LookRequest) -> Result<LookReport, StoreError> {
        let news = news::read(&self.readers, request.deliveries_max).await?;
        if news.taken == 0 {
            return Ok(LookReport {
                newest: news.newest,
                ..LookReport::default()
            });
        }
        let report = self.write(Write::Look, (request, news)).await?;
        self.met.note(&report.unreadable);
        if !report.looked.is_empty() {
            self.asks.notify_waiters();
        }
        Ok(report)
    }

    /// Leases orders that are due for an answer, and counts the try.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; nothing is leased then.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        let claimed = self.write(Write::Claim, request).await?;
        self.met.note(&claimed.unreadable);
        Ok(claimed.claims)
    }

    /// Records what came of asking about claimed orders, and releases them; says of each what that did.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the leases stand then, until they run out.
    pub async fn settle(&self, outcomes: Arc<[Outcome]>) -> Result<Vec<Settled>, StoreError> {
        self.write(Write::Settle, outcomes).await
    }

    /// Gives up a claim without having asked, as if it had never been made; the try does not count.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the lease stands then, until it runs out.
    pub async fn give_back(&self, claim: Claim) -> Result<(), StoreError> {
        self.write(Write::GiveBack, claim).await
    }

    /// Keeps a project's gate.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn keep_gate(&self, project: Id, gate: Gate) -> Result<(), StoreError> {
        self.write(Write::Gate, (project, gate)).await
    }

    /// Makes an order due for an answer now, even if it was parked; `false`: nobody knows it.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub async fn ask_now(&self, key: OrderKey, now: Time) -> Result<bool, StoreError> {
        let known = self.write(Write::AskNow, (key, now)).await?;
        self.asks.notify_waiters();
        Ok(known)
    }

    /// Makes orders known, and due for an answer at once; those that are known already stay as they are.
    /// The answer counts the others.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the first of many may be known then. It is safe to repeat.
    pub async fn watch(&self, request: WatchRequest) -> Result<u64, StoreError> {
        self.want_space()?;
        let mut new = 0;
        for orders in request.orders.chunks(WATCHED_MAX) {
            let part = WatchRequest {
                project: request.project.clone(),
                orders: orders.to_vec(),
                now: request.now,
            };
            new += self.write(Write::Watch, part).await?;
            self.asks.notify_waiters();
        }
        Ok(new)
    }

    /// Takes an order out again that Sinch never showed and no callback named.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; it is still there then.
    pub async fn forget(&self, key: OrderKey) -> Result<Forgot, StoreError> {
        self.write(Write::Forget, key).await
    }

    /// Removes some of what is left of a project that is not configured any more, and says what; nothing: all of it
    /// is gone.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; everything is still there then.
    pub async fn drop_some(&self, project: Id) -> Result<Holdings, StoreError> {
        self.write(Write::DropSome, project).await
    }

    /// Keeps that these conditions were reported.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; they will be reported again.
    pub async fn reported(&self, conditions: &[ConditionRow]) -> Result<(), StoreError> {
        let alarms = conditions
            .iter()
            .map(|row| (row.id, row.condition.clone()))
            .collect();
        self.write(Write::Reported, alarms).await
    }

    /// Gives up some of what has been kept for long enough.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; everything is still there then.
    pub async fn clear(&self, spans: Spans, now: Time) -> Result<Cleared, StoreError> {
        self.write(Write::Clear, (spans, now)).await
    }

    /// Gives some of what is free in the file back to the disk, and says how many bytes; zero: what is free is
    /// so little that it stays for what comes. The file is shorter once the WAL is folded into it.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]; the file is as it was then.
    pub async fn shrink(&self) -> Result<u64, StoreError> {
        self.write(Write::Shrink, ()).await
    }

    /// Writes to the disk, and takes a callback of each project and undoes it, to prove that it can be done.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`]: it cannot.
    pub async fn beat(&self, now: Time) -> Result<(), StoreError> {
        let done = self.write(Write::Beat, now).await?;
        done.map_err(StoreError::Rejected)
    }

    /// Wakes whoever looks at news. It is a hint: a poll is the guarantee.
    pub fn news(&self) -> &Notify {
        &self.news
    }

    /// Wakes whoever asks Sinch. It is a hint: a poll is the guarantee.
    pub fn asks(&self) -> &Notify {
        &self.asks
    }

    /// Names who is told, each second or more often, how folding the WAL into the file goes. The first stays.
    pub fn on_folding(&self, listener: impl Fn(&Result<(), String>) + Send + Sync + 'static) {
        self.written.listen(Box::new(listener));
    }

    fn want_space(&self) -> Result<(), StoreError> {
        self.little_space().map_or(Ok(()), Err)
    }

    async fn write<A, T>(
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
