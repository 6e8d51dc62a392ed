//! Backend of the store that keeps everything in a PostgreSQL database, which any number of equal replicas share.
//!
//! The database keeps replicas apart: callbacks by a unique key, orders by row locks, fetches by leases, a project's rate
//! and circuit by its row. There is no leader, and replicas do not talk to each other. Locks are taken in one order
//! (projects, then orders by id, then their numbers, the number of the newest event, queues of
//! notifications) or skipped. Decisions are made by the pure rules of
//! [`number_order`], inside the transaction that records them.
//!
//! Times are the database's: what the program's clock says is moved by the difference that was found at the start.

mod actions;
mod alert_changes;
mod alerts;
mod changes;
mod check;
mod circuit;
mod claims;
mod clock;
mod columns;
mod committer;
mod connect;
mod details;
mod error;
mod fetches;
mod forget;
mod inbox;
mod lane;
mod numbers;
mod open;
mod orders;
mod outbox;
mod parked;
mod pending;
mod placements;
mod prepare;
mod process;
mod prune;
mod quarantine;
mod queries;
mod rate;
mod reach;
mod refusal;
mod removal;
mod retention_report;
mod savepoint;
mod schema;
mod service_alerts;
mod settings;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod under_way;
mod unwatch;
mod write_probe;

pub use check::check;
pub use clock::ClockSource;
pub use open::open;
pub(super) use process::BATCH_SIZES;
pub use settings::{OpenError, Settings};
pub(super) use target::{Begun, Target, TargetFault};

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32};

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::sql::unreadable::Met;
use super::{Accepted, Listener, NewDelivery, StoreError};
use clock::Clock;
use committer::Call;
use inbox::Incoming;
use lane::Lane;
use number_order::Id;
use prepare::Replica;
use summary::StateCounts;
use under_way::UnderWay;

/// A handle on a PostgreSQL database; clones share it.
#[derive(Clone)]
pub struct Store {
    accepts: mpsc::Sender<Call>,
    shared: Arc<Shared>,
}

/// What the clones of a handle share. The lanes, the two committers and nothing else have connections: ten at most.
struct Shared {
    /// Processing of the inbox.
    inbox: Lane,
    /// Claims, results of fetches, and circuits.
    fetches: Lane,
    /// All other writes, and the replica's own.
    commands: Lane,
    /// Claims and results of notifications.
    senders: Lane,
    /// Answers to operators.
    readers: Lane,
    pending: Notify,
    due: Notify,
    /// Wakes those who wait for events.
    told: Notify,
    /// Id beyond which pending deliveries are read: others process those before it.
    pending_after: AtomicI64,
    /// Number of deliveries that this replica has accepted since the last report.
    arrived: AtomicU32,
    /// Callbacks that are being committed.
    under_way: Arc<UnderWay>,
    met: Met,
    state_counts: StateCounts,
    clock: Clock,
    /// Projects that are served.
    projects: Vec<Id>,
    replica: Replica,
}

impl Store {
    pub(super) fn spare(&self) -> f64 {
        let replicas = self.shared.replica.running();
        self.shared.under_way.spare(Instant::now(), replicas)
    }

    pub(super) fn is_full(&self) -> bool {
        self.accepts.capacity() == 0
    }

    pub(super) async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError> {
        let received_at = self.shared.clock.database(delivery.received_at);
        let (call, answer) = Call::new(Incoming::new(&delivery, received_at.0));
        self.accepts.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        let accepted = answer.await.map_err(|_| StoreError::Closed)??;
        if accepted != Accepted::Duplicate {
            self.shared.arrived.fetch_add(1, Relaxed);
        }
        // A duplicate may be of a commit whose answer got lost.
        self.shared.pending.notify_one();
        Ok(accepted)
    }

    /// Returns `None`: the server itself says when it is short of something.
    #[expect(clippy::unused_self, reason = "other backends look")]
    pub(super) fn shortage(&self) -> Option<StoreError> {
        None
    }

    /// Ignores the listener: no task of this backend has to be seen to. The sign of life logs its own failures.
    #[expect(clippy::unused_self, reason = "other backends keep it")]
    pub(super) fn on_upkeep(&self, _: Listener) {}

    pub(super) fn pending(&self) -> &Notify {
        &self.shared.pending
    }

    pub(super) fn due(&self) -> &Notify {
        &self.shared.due
    }
}

/// Returns a text as PostgreSQL can store it: it takes no character 0, in whose place `�` is stored.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}
