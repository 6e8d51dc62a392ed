//! Fetches the due orders of one project from Sinch, within its rate limit and as far as its circuit allows.
//!
//! Orders are prefetched: the worker claims them a little ahead of the slots that fetch them, because a claim has to
//! wait for a commit. The recorder records the results apart from the slots. So the disk never holds up a slot.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::frame::{POLL, STORE_PAUSE, record_step};
use super::limits::Limits;
use super::logged_id;
use super::recorder::Recorder;
use super::scheduler::{HANGS_AFTER, Next, Scheduler, Seat};
use crate::clock;
use crate::metrics::Metrics;
use crate::redact::redacted;
use crate::store::{Circuit, Claim, ClaimOrder, ClaimRequest, FetchResult, Store, StoreError};
use number_order::{Backoff, Id, Policy, Time};
use sinch_numbers::api::Client;

/// Maximum time for which a prefetched order waits for a slot before it is released. A lease has to last longer than a
/// fetch and this time together.
const PREFETCHED_MAX: Duration = Duration::from_secs(1);

/// Worker that fetches the orders of one project.
pub struct Fetcher {
    /// Project whose orders are fetched.
    pub project: Id,
    /// Client of the project's API.
    pub client: Client,
    /// Store of the due orders and of the answers.
    pub store: Store,
    /// Policy by which answers are applied.
    pub policy: Policy,
    /// Spacing of failed attempts.
    pub backoff: Backoff,
    /// Maximum number of fetches in flight, without those that hang and those of orders kept apart.
    pub slots: usize,
    /// Maximum number of fetches a second, over time.
    pub requests_per_second: f64,
    /// Duration of a lease: the longest time for which a claimed order can be held, first prefetched and then in
    /// flight.
    pub lease: Duration,
    /// Circuit as an earlier run left it.
    pub circuit: Circuit,
    /// Notification by which an operator closes the circuit again.
    pub resume: Arc<Notify>,
    /// Metrics that receive the worker's heartbeat.
    pub metrics: Arc<Metrics>,
}

/// State that the slots of one project share.
struct Shared {
    fetcher: Fetcher,
    /// Name of the fetcher among the workers.
    name: String,
    scheduler: Mutex<Scheduler>,
    /// Free slots. More tasks run than there are slots, because a fetch that hangs lets go of its slot.
    slots: Semaphore,
    /// Prefetched orders, which are claimed and wait for a slot.
    prefetched: tokio::sync::Mutex<UnboundedReceiver<Prefetched>>,
    /// Circuit as it was last saved. The lock is held during the write, so that the newest state is written last.
    kept: tokio::sync::Mutex<Circuit>,
    /// Wakes the claiming task, which waits for a free permit or for the circuit.
    ended: Notify,
    /// Token that is cancelled when no more orders may be fetched.
    stop: CancellationToken,
}

/// Prefetched order, with its lease and its permit.
struct Prefetched {
    claim: Claim,
    since: Time,
    place: Place,
}

/// Permit of a claimed order, prefetched or in a slot. Dropping it frees the permit, however the fetch ended.
struct Place {
    shared: Arc<Shared>,
    seat: Seat,
}

impl Place {
    /// Notes that the fetch hangs. Returns `true` if its slot goes to another fetch now.
    fn hangs(&mut self) -> bool {
        let gives_way = self.seat == Seat::Slot && self.shared.scheduler().hangs();
        if gives_way {
            self.seat = Seat::Hanging;
            self.shared.ended.notify_one();
        }
        gives_way
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut scheduler = self.shared.scheduler();
        scheduler.freed(self.seat);
        if scheduler.has_room() {
            self.shared.ended.notify_one();
        }
    }
}

/// Pause of the claiming task, and the event that may end it sooner.
enum Pause {
    /// No pause: there is more to do.
    None,
    /// Pause because no order is due. It ends early when an order falls due.
    Idle(Duration),
    /// Pause because permits, rate limit or circuit hold up the work. It ends early when a fetch ends.
    HeldUp(Duration),
}

impl Fetcher {
    /// Works until `stop` is cancelled, then waits for the fetches in flight, unless `abort` is cancelled too.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(
        self,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let limits = Limits {
            slots: u32::try_from(self.slots).unwrap_or(u32::MAX),
            requests_per_second: self.requests_per_second,
            probe_interval_max: self.backoff.cap,
        };
        let name = format!("fetch {}", self.project);
        self.metrics.circuit(&self.project, &self.circuit);
        self.metrics.heartbeat(&name);
        let Some(found) = self.was_found(&name, &stop).await? else {
            return Ok(());
        };
        let tasks = limits.questions_max();
        let (hand, prefetched) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            scheduler: Mutex::new(Scheduler::new(
                limits,
                self.circuit.clone(),
                found,
                clock::now(),
            )),
            slots: Semaphore::new(self.slots),
            prefetched: tokio::sync::Mutex::new(prefetched),
            kept: tokio::sync::Mutex::new(self.circuit.clone()),
            ended: Notify::new(),
            stop: stop.clone(),
            name,
            fetcher: self,
        });
        let recorder = Recorder {
            project: shared.fetcher.project.clone(),
            store: shared.fetcher.store.clone(),
            metrics: shared.fetcher.metrics.clone(),
        };
        let (results, came) = mpsc::unbounded_channel();
        let mut recording = pin!(recorder.run(came));
        let slot = || shared.clone().slot(results.clone());
        let mut slots: JoinSet<()> = (0..tasks).map(|_| slot()).collect();
        // A claim is never cut off: its orders would stay leased, and their attempts would count.
        let work = async {
            while !stop.is_cancelled() {
                shared.work(&hand).await?;
            }
            Ok(())
        };
        // The task of a slot ends with the work, or by a panic over one order. Such a panic must not hold up the other
        // orders.
        let panics = async {
            while slots.join_next().await.is_some() {
                slots.spawn(slot());
            }
        };
        let working = async {
            tokio::select! {
                outcome = work => outcome,
                outcome = &mut recording => outcome,
                () = panics => Ok(()),
            }
        };
        // Orders that are let go are free again when their leases run out.
        let Some(outcome) = abort.run_until_cancelled(working).await else {
            return Ok(());
        };
        outcome?;
        drop((hand, results));
        let ended = async { tokio::join!(recording, slots.join_all()).0 };
        abort.run_until_cancelled(ended).await.unwrap_or(Ok(()))
    }
}

impl Fetcher {
    /// Returns `Some(true)` if Sinch has shown an order of this project before, and `None` if the worker must stop.
    async fn was_found(
        &self,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Option<bool>, StoreError> {
        while !stop.is_cancelled() {
            let found = self.store.any_confirmed(&self.project).await;
            if let Some(found) = record_step(&self.metrics, name, found)? {
                return Ok(Some(found));
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
    /// Claims what can be claimed, then waits until there may be more to do.
    async fn work(self: &Arc<Self>, hand: &UnboundedSender<Prefetched>) -> Result<(), StoreError> {
        // Registered before the claim, so that an order that falls due during the claim is not slept through.
        let pending = self.fetcher.store.asks().notified();
        let (idle, span) = match self.claim(hand).await? {
            Pause::None => return Ok(()),
            Pause::Idle(span) => (true, span),
            Pause::HeldUp(span) => (false, span),
        };
        tokio::select! {
            () = pending, if idle => {}
            () = self.ended.notified(), if !idle => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(span) => {}
            () = self.fetcher.resume.notified() => {
                self.scheduler().resumed();
                self.save_circuit().await;
            }
        }
        Ok(())
    }

    /// Claims the orders that circuit, permits and rate limit allow.
    async fn claim(
        self: &Arc<Self>,
        hand: &UnboundedSender<Prefetched>,
    ) -> Result<Pause, StoreError> {
        let now = clock::now();
        let (next, apart) = {
            let mut scheduler = self.scheduler();
            (scheduler.next(now), scheduler.kept_apart())
        };
        let held_up = |span| {
            // Rate limit, circuit or Sinch hold up the work rightly, so the worker is alive.
            self.fetcher.metrics.heartbeat(&self.name);
            Ok(Pause::HeldUp(span))
        };
        let (orders_max, claim_order) = match next {
            Next::Claim {
                orders_max,
                claim_order,
            } => (orders_max, claim_order),
            Next::Wait(until) => return held_up(until.since(now).min(POLL)),
            Next::Full => return held_up(POLL),
        };
        let request = ClaimRequest {
            project: self.fetcher.project.clone(),
            orders_max,
            claim_order,
            apart,
            now,
            lease: self.fetcher.lease,
        };
        let claimed = self.fetcher.store.claim(request).await;
        let orders = claimed.as_ref().map_or(0, |claims| claims.len() as u32);
        let since = clock::now();
        let more = self
            .scheduler()
            .claimed(claim_order, orders_max, orders, since);
        let Some(claims) = record_step(&self.fetcher.metrics, &self.name, claimed)? else {
            return Ok(Pause::Idle(STORE_PAUSE));
        };
        let seat = if claim_order == ClaimOrder::Apart {
            Seat::Apart
        } else {
            Seat::Slot
        };
        for claim in claims {
            let place = Place {
                shared: self.clone(),
                seat,
            };
            // The send cannot fail: `self` holds the receiver.
            let _ = hand.send(Prefetched {
                claim,
                since,
                place,
            });
        }
        Ok(if more { Pause::None } else { Pause::Idle(POLL) })
    }

    /// Locks the scheduler. A panic elsewhere cannot leave it half written.
    fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches one order after another, until none is prefetched any more and none will be.
    async fn slot(self: Arc<Self>, results: UnboundedSender<FetchResult>) {
        loop {
            // The semaphore is never closed.
            let slot = self.slots.acquire().await.ok();
            let next = self.prefetched.lock().await.recv().await;
            let Some(Prefetched {
                claim,
                since,
                mut place,
            }) = next
            else {
                return;
            };
            let now = clock::now();
            let late = self.stop.is_cancelled() || now.since(since) > PREFETCHED_MAX;
            if late || !self.scheduler().may_fetch(place.seat, now) {
                self.release(claim).await;
                continue;
            }
            let outcome = {
                let mut asking = pin!(self.ask(claim));
                let patience = if place.seat == Seat::Apart {
                    Duration::ZERO
                } else {
                    HANGS_AFTER
                };
                match tokio::time::timeout(patience, &mut asking).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        if place.seat == Seat::Apart || place.hangs() {
                            drop(slot);
                        }
                        asking.await
                    }
                }
            };
            // Sinch has answered, so the next fetch may be sent before this result is recorded. The claim of the next
            // order waits for the same writer, which keeps the fetches from running away from the records.
            drop(place);
            // If the recorder has ended, the store is broken and the process stops.
            let _ = results.send(outcome);
        }
    }

    /// Fetches an order and returns the result.
    async fn ask(&self, claim: Claim) -> FetchResult {
        let fetched_at = clock::now();
        let result = self.fetcher.client.get_order(&claim.key.order).await;
        let now = clock::now();
        let jitter = fastrand::f64();
        let (result, healthy) =
            self.scheduler()
                .attempt(&claim.key.order, result, fetched_at, now, jitter);
        self.save_circuit().await;
        FetchResult {
            claim,
            fetched_at,
            result,
            healthy,
            now,
            jitter: fastrand::f64(),
            policy: self.fetcher.policy.clone(),
            backoff: self.fetcher.backoff.clone(),
        }
    }

    /// Releases an order that was not fetched: it is due again, as if no worker had claimed it.
    async fn release(&self, claim: Claim) {
        let order = logged_id(&claim.key).into_owned();
        if let Err(error) = self.fetcher.store.release(claim).await {
            // The lease runs out by itself.
            tracing::warn!(order, %error, "an order could not be given back");
        }
    }

    /// Saves the circuit as it is by now, in the metrics for operators and in the database. A database in trouble may
    /// forget it over a restart. That does no harm, because the trouble is met again.
    async fn save_circuit(&self) {
        let mut kept = self.kept.lock().await;
        let circuit = self.scheduler().circuit().clone();
        if *kept == circuit {
            return;
        }
        let before = std::mem::replace(&mut *kept, circuit.clone());
        let project = &self.fetcher.project;
        self.fetcher.metrics.circuit(project, &circuit);
        match (&before.paused, &circuit.paused) {
            (None, None) => return,
            (None, Some((until, reason))) => {
                let text = reason.to_string();
                let (text, reason) = (redacted(&text), reason.code());
                tracing::error!(%project, reason, %text, %until, "the project's circuit is open: its orders are not fetched");
            }
            (Some(_), None) => {
                tracing::info!(%project, failures = before.failures, "the project's circuit is closed again");
            }
            (Some(_), Some(_)) => {}
        }
        let written = self
            .fetcher
            .store
            .save_circuit(project.clone(), circuit)
            .await;
        if let Err(error) = written {
            tracing::warn!(%project, %error, "the pause could not be kept");
        }
    }
}
