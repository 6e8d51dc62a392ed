//! Fetches the due orders of one project from Sinch, within its rate limit and as far as its circuit allows.
//!
//! Orders are prefetched: the worker claims them a little ahead of the slots that fetch them, because a claim has to
//! wait for a commit. The recorder records the results apart from the slots. So the disk never holds up a slot.

mod attribution;
mod circuit;
mod claim;
mod limits;
pub(super) mod recorder;
mod scheduler;
mod signal;
mod slot;
#[cfg(test)]
mod tests;
mod traced;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::limits::Limits;
use self::recorder::Recorder;
use self::scheduler::{PermitKind, Scheduler};
use super::frame::{STORE_PAUSE, record_step};
use crate::clock;
use crate::metrics::Metrics;
use crate::redact::redacted;
use crate::store::{Circuit, Claim, Store, StoreError};
use crate::traces::Traces;
use number_order::{Backoff, Id, Policy, Time};
use sinch_numbers::api::Client;

/// Worker that fetches the orders of one project.
pub struct Fetcher {
    /// Project whose orders are fetched.
    pub project: Id,
    /// Client of the project's API, which others may share.
    pub client: Arc<Client>,
    /// Store of the due orders and of the answers.
    pub store: Store,
    /// Policy by which answers are applied.
    pub policy: Policy,
    /// Spacing of failed attempts to fetch an order.
    pub backoff: Backoff,
    /// Maximum number of the project's fetches in flight, not counting those that hang and those of isolated orders.
    pub slots: usize,
    /// Maximum number of the project's fetches a second, as an average over time.
    pub requests_per_second: f64,
    /// Duration of a lease: the longest time for which a claimed order can be held, first prefetched and then in
    /// flight.
    pub lease: Duration,
    /// Notification by which an operator closes the project's circuit again.
    pub resume: Arc<Notify>,
    /// Metrics that receive the fetcher's heartbeat.
    pub metrics: Arc<Metrics>,
    /// Receiver of spans about the fetches.
    pub traces: Traces,
}

/// State that the slots of one project share.
struct Shared {
    fetcher: Fetcher,
    /// Name of the fetcher among the workers of the service.
    name: String,
    scheduler: Mutex<Scheduler>,
    /// Free slots of the project. There are more tasks than slots, because a fetch that hangs releases its slot.
    slots: Semaphore,
    /// Circuit as it was last saved. The lock is held during the write, so that the newest state is written last.
    saved_circuit: tokio::sync::Mutex<Circuit>,
    /// Wakes the claiming task, which waits for a free permit or for the circuit.
    permit_freed: Notify,
    /// Token that is cancelled when no more orders of the project may be fetched.
    stop: CancellationToken,
}

/// Queue of prefetched orders, which are claimed and wait for a slot. Only the tasks of the slots hold the queue: its
/// permits hold [`Shared`], which would never end if it held the queue.
type PrefetchQueue = tokio::sync::Mutex<UnboundedReceiver<Prefetched>>;

/// Prefetched order, with the claim that leases it and its permit.
struct Prefetched {
    claim: Claim,
    since: Time,
    permit: Permit,
}

/// Permit of a claimed order, prefetched or in a slot. Dropping it frees the permit, however the fetch ended.
struct Permit {
    shared: Arc<Shared>,
    kind: PermitKind,
}

impl Permit {
    /// Records that the fetch under the permit hangs. Returns `true` if its slot goes to another fetch now.
    fn hangs(&mut self) -> bool {
        let gives_way = self.kind == PermitKind::Slot && self.shared.scheduler().fetch_hangs();
        if gives_way {
            self.kind = PermitKind::Hanging;
            self.shared.permit_freed.notify_one();
        }
        gives_way
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut scheduler = self.shared.scheduler();
        scheduler.release(self.kind);
        if scheduler.may_have_more() {
            self.shared.permit_freed.notify_one();
        }
    }
}

impl Fetcher {
    /// Returns the maximum number of fetches in flight of a project with this number of slots, those included that hang
    /// or are of isolated orders. Each has a connection.
    pub fn in_flight_max(slots: usize) -> usize {
        limits::in_flight_max(u32::try_from(slots).unwrap_or(u32::MAX)) as usize
    }

    /// Fetches the project's orders until `stop` is cancelled, then waits for the fetches in flight, unless `abort` is
    /// cancelled too.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(
        self,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let name = format!("fetch {}", self.project);
        self.metrics.heartbeat(&name);
        let Some((circuit, found)) = self.earlier_run(&name, &stop).await? else {
            return Ok(());
        };
        self.metrics.circuit(&self.project, &circuit);
        let recorder = Recorder {
            project: self.project.clone(),
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
        };
        let limits = self.limits();
        // One task more, so that what is prefetched is released in time though every fetch hangs.
        let tasks = limits::in_flight_max(limits.slots) + 1;
        let (claims, prefetched) = mpsc::unbounded_channel();
        let scheduler = Scheduler::new(limits, circuit, found, clock::now());
        let circuit = scheduler.circuit().clone();
        let shared = Arc::new(Shared {
            scheduler: Mutex::new(scheduler),
            slots: Semaphore::new(self.slots),
            saved_circuit: tokio::sync::Mutex::new(circuit),
            permit_freed: Notify::new(),
            stop: stop.clone(),
            name,
            fetcher: self,
        });
        let prefetched = (claims, Arc::new(tokio::sync::Mutex::new(prefetched)));
        shared.run(tasks, recorder, prefetched, abort).await
    }

    fn limits(&self) -> Limits {
        Limits {
            slots: u32::try_from(self.slots).unwrap_or(u32::MAX),
            requests_per_second: self.requests_per_second,
            probe_interval_max: self.backoff.cap,
        }
    }

    /// Returns the project's circuit as an earlier run left it, and `true` if Sinch has shown an order of this project
    /// before; `None` if the worker must stop.
    async fn earlier_run(
        &self,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Option<(Circuit, bool)>, StoreError> {
        while !stop.is_cancelled() {
            let earlier = async {
                let circuit = self.store.circuit(&self.project).await?;
                Ok((circuit, self.store.any_confirmed(&self.project).await?))
            };
            if let Some(earlier) = record_step(&self.metrics, name, earlier.await)? {
                return Ok(Some(earlier));
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
        Ok(None)
    }
}

impl Shared {
    /// Claims and fetches orders, and records the results, with `tasks` tasks for the slots, until no more orders may
    /// be fetched.
    async fn run(
        self: Arc<Self>,
        tasks: u32,
        recorder: Recorder,
        (claims, prefetched): (UnboundedSender<Prefetched>, Arc<PrefetchQueue>),
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let (results, received) = mpsc::unbounded_channel();
        let mut recording = pin!(recorder.run(received));
        let slot = || self.clone().slot(prefetched.clone(), results.clone());
        let mut slots: JoinSet<()> = (0..tasks).map(|_| slot()).collect();
        // A claim is always awaited: if it were dropped, its orders would stay leased, and their attempts would count.
        let claiming = async {
            while !self.stop.is_cancelled() {
                self.claim_or_wait(&claims).await?;
            }
            Ok(())
        };
        // The task of a slot ends with the work, or by a panic over one order. Such a panic must not hold up the other
        // orders.
        let restarting = async {
            while slots.join_next().await.is_some() {
                slots.spawn(slot());
            }
        };
        let working = async {
            tokio::select! {
                outcome = claiming => outcome,
                outcome = &mut recording => outcome,
                () = restarting => Ok(()),
            }
        };
        // The orders of abandoned fetches are free again when their leases run out.
        let Some(outcome) = abort.run_until_cancelled(working).await else {
            return Ok(());
        };
        outcome?;
        // A task that panics over its order ends no other.
        let emptied = async { while slots.join_next().await.is_some() {} };
        drop((claims, prefetched, results));
        let ended = async { tokio::join!(recording, emptied).0 };
        abort.run_until_cancelled(ended).await.unwrap_or(Ok(()))
    }

    /// Locks the scheduler. A panic elsewhere cannot leave the scheduler half written.
    fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the project's circuit as other processes have left it, and returns the time until which it is open.
    async fn share_circuit(&self) -> Result<Option<Time>, StoreError> {
        let mut saved = self.saved_circuit.lock().await;
        let shared = self
            .fetcher
            .store
            .shared_circuit(&self.fetcher.project)
            .await?;
        if let Some(shared) = shared
            && shared.paused != saved.paused
            && self.scheduler().circuit().paused == saved.paused
        {
            self.scheduler().adopt(shared.clone(), clock::now());
            self.report_circuit(&saved, &shared);
            *saved = shared;
        }
        Ok(saved.paused.as_ref().map(|(until, _)| *until))
    }

    /// Reports a change of the circuit to the operators.
    fn report_circuit(&self, before: &Circuit, circuit: &Circuit) {
        let project = &self.fetcher.project;
        self.fetcher.metrics.circuit(project, circuit);
        match (&before.paused, &circuit.paused) {
            (None, Some((until, reason))) => {
                let text = reason.to_string();
                let (text, reason) = (redacted(&text), reason.code());
                tracing::error!(%project, reason, %text, %until, "the project's circuit is open: its orders are not fetched");
            }
            (Some(_), None) => {
                tracing::info!(%project, failures = before.failures, "the project's circuit is closed again");
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Saves the circuit as it is by now, in the metrics for operators and in the database. If the database fails, the
    /// circuit is forgotten at a restart. That does no harm, because the failures come again.
    async fn save_circuit(&self) {
        let mut saved = self.saved_circuit.lock().await;
        let circuit = self.scheduler().circuit().clone();
        if *saved == circuit {
            return;
        }
        let before = std::mem::replace(&mut *saved, circuit.clone());
        self.report_circuit(&before, &circuit);
        if before.paused.is_none() && circuit.paused.is_none() {
            return;
        }
        let project = &self.fetcher.project;
        let saving = self
            .fetcher
            .store
            .save_circuit(project.clone(), before, circuit);
        if let Err(error) = saving.await {
            tracing::warn!(%project, %error, "the pause could not be kept");
        }
    }
}
