//! Backend of the store that keeps everything in a file of SQLite's.
//!
//! One file in SQLite's WAL mode, `synchronous = FULL`: a write is on disk when its call returns. Writes go through one
//! task (`writer`), reads through a small pool beside it. Decisions are made by the pure rules of [`number_order`],
//! inside the transaction that records them.

mod actions;
mod alert_changes;
mod alerts;
mod backup;
mod batch;
mod changes;
mod checkpoint;
mod checksum;
mod circuit;
mod claims;
mod columns;
mod command;
mod copy;
mod details;
mod error;
mod fetches;
mod files;
mod forget;
mod inbox;
mod integrity;
mod location;
mod lock;
mod named_orders;
mod no_checkpoint;
mod numbers;
mod open;
mod outbox;
mod owner;
mod parked;
mod pending;
mod placements;
mod prepare;
mod process;
mod prune;
mod quarantine;
mod queries;
mod rates;
mod reach;
mod readers;
mod removal;
mod restore;
mod retention_report;
mod revision;
mod row_fault;
mod rows;
mod savepoint;
mod schema;
mod script;
mod sent_copy;
mod service_alerts;
#[cfg(feature = "postgres")]
mod source;
mod space;
mod step;
mod summary;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;
mod vacuum;
mod work_folder;
mod write_probe;
mod writer;

pub use backup::backup;
pub use checksum::{Checksum, in_hex};
pub use copy::CopyError;
pub use integrity::Copied;
pub use location::exposed;
pub use open::{Held, OpenError, Settings, check, hold, open};
pub(super) use process::BATCH_SIZES;
pub use restore::restore;
pub use sent_copy::{DatabaseCopy, ReceivedCopy};
#[cfg(feature = "postgres")]
pub(super) use source::Source;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::sync::{Notify, mpsc, oneshot};

use super::outbox::OutboxTarget;
use super::spare::SpareTime;
use super::sql::unreadable::Met;
use super::{
    Accepted, FetchResult, Listener, NewDelivery, ProcessReport, ProcessRequest, Recorded,
    StoreError,
};
use checkpoint::Written;
use command::{Call, WriteCommand};
use rates::Rates;
use readers::Readers;
use revision::Revision;
use space::Space;
use writer::Write;

/// A handle on a database in one file of SQLite's; clones share it.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Write>,
    readers: Readers,
    path: PathBuf,
    space: Arc<Space>,
    pending: Arc<Notify>,
    due: Arc<Notify>,
    told: Arc<Notify>,
    /// Id of the newest delivery that a report has counted.
    newest: Arc<AtomicI64>,
    met: Arc<Met>,
    written: Arc<Written>,
    rates: Rates,
    /// Targets that are told of the events of steps.
    targets: Arc<[OutboxTarget]>,
    revision: Revision,
    spare: Arc<SpareTime>,
}

impl Store {
    pub(super) fn is_full(&self) -> bool {
        self.writes.capacity() == 0 || self.shortage().is_some()
    }

    pub(super) fn shortage(&self) -> Option<StoreError> {
        self.space.little()
    }

    pub(super) async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError> {
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

    pub(super) async fn process(
        &self,
        request: ProcessRequest,
    ) -> Result<ProcessReport, StoreError> {
        let step = step::make(&self.readers, &self.revision, &self.targets, request).await?;
        let (newest, taken) = (step.pending.newest, step.pending.taken);
        let more_wait = taken == step.request.deliveries_max as usize;
        let mut report = if taken == 0 {
            ProcessReport::default()
        } else {
            self.submit(Write::Process, step).await?
        };
        let before = self.newest.fetch_max(newest, Relaxed);
        report.more_wait = more_wait;
        report.arrived = u32::try_from(newest - before).unwrap_or(0);
        self.met.note(&report.unreadable);
        if !report.processed.is_empty() || report.numbers_due > 0 {
            self.due.notify_waiters();
        }
        Ok(report)
    }

    pub(super) async fn record(
        &self,
        results: Arc<[FetchResult]>,
    ) -> Result<Vec<Recorded>, StoreError> {
        self.submit(Write::Record, results).await
    }

    pub(super) fn pending(&self) -> &Notify {
        &self.pending
    }

    pub(super) fn spare(&self) -> f64 {
        self.spare.share(Instant::now())
    }

    pub(super) fn due(&self) -> &Notify {
        &self.due
    }

    /// Sets the listener that receives the result of checkpoints, each second or more often. A listener that is set
    /// later is ignored.
    pub(super) fn on_upkeep(&self, listener: Listener) {
        self.written.listen(listener);
    }

    fn want_space(&self) -> Result<(), StoreError> {
        self.shortage().map_or(Ok(()), Err)
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
