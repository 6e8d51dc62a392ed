//! Sends a target its notifications: those about one order one after the other, and several orders at once.
//!
//! Notifications are claimed a little ahead of the slots that send them, because a claim has to wait for a commit, and
//! the recorder settles results apart from the slots. So the disk holds up no slot of a target that is well. Of one that
//! fails nothing is claimed ahead.

mod ahead;
mod cause;
mod command;
mod examine;
mod health;
mod http;
mod receiver;
mod recorder;
mod rest;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use self::command::Command;
pub use self::examine::{JudgedAddress, TargetFault};
pub use self::http::{Endpoint, EndpointError};
pub use self::receiver::Receiver;

use self::ahead::Ahead;
use self::health::Health;
use self::recorder::Recorder;
use super::frame::{POLL, STORE_PAUSE, record_step};
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{
    NotificationClaim, NotificationOutcome, NotificationRequest, NotificationResult, Rate, Store,
    StoreError,
};
use notifications::{Attempt, DeliveryFailure, Format, RetrySchedule};
use number_order::Time;

/// Time for which a notification may be leased beyond the time-out of its attempt: it may wait for a slot before that,
/// and for the commit of its result after it. What a replica held that was killed waits for that long, too.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// Maximum time that a claimed notification waits for a slot. Later it is released.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Minimum pause after a claim that found less than it asked for.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Sender of one target's notifications.
pub struct Sender {
    /// Name of the target.
    pub target: String,
    /// Receiver of what the target is told.
    pub receiver: Receiver,
    /// Store of the notifications.
    pub store: Store,
    /// Form in which the target is told.
    pub format: Format,
    /// Maximum number of attempts in flight.
    pub slots: usize,
    /// Maximum rate of attempts; `None`: there is none.
    pub rate: Option<Rate>,
    /// Maximum time for an attempt.
    pub timeout: Duration,
    /// Waits between the attempts to tell one event.
    pub retries: RetrySchedule,
    /// Metrics that receive the sender's heartbeat.
    pub metrics: Arc<Metrics>,
}

/// State that the tasks of one sender share.
struct Shared {
    sender: Sender,
    /// Name of the sender among the workers of the service.
    name: String,
    /// Slots, for one attempt each.
    slots: Semaphore,
    /// Number of claimed notifications, and how many may be.
    ahead: Mutex<Ahead>,
    /// Health of the target as this process has seen it.
    health: Mutex<Health>,
    /// Wakes the claiming task: an attempt has ended, or its result is recorded.
    moved: Arc<Notify>,
    /// Token that is cancelled when nothing more may be sent.
    stop: CancellationToken,
}

/// Place of a claimed notification. Dropping it frees the place, however the attempt ended.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.ahead().release();
        self.0.moved.notify_one();
    }
}

impl Sender {
    /// Sends the target's notifications until `stop` is cancelled, then waits for the attempts in flight, unless `abort`
    /// is cancelled too.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(
        self,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let moved = Arc::new(Notify::new());
        let recorder = Recorder {
            target: self.target.clone(),
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            recorded: moved.clone(),
        };
        let shared = Arc::new(Shared {
            name: format!("tell {}", self.target),
            slots: Semaphore::new(self.slots),
            ahead: Mutex::new(Ahead::new(self.slots)),
            health: Mutex::new(Health::new(self.target.clone())),
            moved,
            stop,
            sender: self,
        });
        let working = shared.run(recorder);
        // Attempts that are abandoned are made again once their leases have run out.
        abort.run_until_cancelled(working).await.unwrap_or(Ok(()))
    }
}

impl Shared {
    /// Claims and sends notifications until nothing more may be sent, and records the results of all that were.
    async fn run(self: Arc<Self>, recorder: Recorder) -> Result<(), StoreError> {
        let (results, received) = mpsc::unbounded_channel();
        let mut recording = pin!(recorder.run(received));
        let mut attempts = JoinSet::new();
        let claiming = async {
            while !self.stop.is_cancelled() {
                // The wake-ups are registered before the claim, so that what comes during it ends the wait.
                let told = self.sender.store.told().notified();
                let pause = self.clone().claim(&mut attempts, &results).await?;
                tokio::select! {
                    () = sleep(pause) => {}
                    () = told => {}
                    () = self.moved.notified() => {}
                    () = self.stop.cancelled() => {}
                }
                // A task that panics over its notification ends no other.
                while attempts.try_join_next().is_some() {}
            }
            Ok::<(), StoreError>(())
        };
        tokio::select! {
            outcome = claiming => outcome?,
            outcome = &mut recording => return outcome,
        }
        drop(results);
        let emptied = async { while attempts.join_next().await.is_some() {} };
        let alive = async {
            loop {
                self.sender.metrics.heartbeat(&self.name);
                sleep(POLL).await;
            }
        };
        tokio::select! {
            (outcome, ()) = async { tokio::join!(recording, emptied) } => outcome,
            () = alive => Ok(()),
        }
    }

    /// Claims as many notifications as there is room for, and begins to send them. Returns the longest pause before the
    /// next claim.
    async fn claim(
        self: Arc<Self>,
        attempts: &mut JoinSet<()>,
        results: &UnboundedSender<NotificationResult>,
    ) -> Result<Duration, StoreError> {
        let metrics = &self.sender.metrics;
        let room = self.ahead().room();
        if room == 0 {
            metrics.heartbeat(&self.name);
            return Ok(POLL);
        }
        let (began, now) = (Instant::now(), clock::now());
        let claimed = self.sender.store.claim_notifications(NotificationRequest {
            target: self.sender.target.clone(),
            limit: room,
            rate: self.sender.rate,
            lease: self.sender.timeout + LEASE_MARGIN,
            now,
        });
        let claimed = record_step(metrics, &self.name, claimed.await)?;
        let Some(claimed) = claimed else {
            return Ok(STORE_PAUSE);
        };
        let count = claimed.claims.len();
        self.ahead().claimed(count);
        for claim in claimed.claims {
            let place = Place(self.clone());
            attempts.spawn(self.clone().attempt(claim, now, place, results.clone()));
        }
        if count == room as usize {
            // More may wait, and will be claimed at once.
            let spare = self.sender.store.spare();
            sleep(rest::after(began.elapsed(), spare)).await;
            return Ok(POLL);
        }
        let next = claimed.next_at.map(|at| at.since(clock::now()));
        Ok(next.unwrap_or(POLL).clamp(PAUSE_MIN, POLL))
    }

    /// Sends a notification that was claimed at `since`, once there is a slot, and hands its result to the recorder.
    async fn attempt(
        self: Arc<Self>,
        claim: NotificationClaim,
        since: Time,
        place: Place,
        results: UnboundedSender<NotificationResult>,
    ) {
        let Some(slot) = self.slot(since).await else {
            drop(place);
            // The sender that claims it next need not wait for the end of the lease.
            let _ = results.send(NotificationResult {
                claim,
                outcome: NotificationOutcome::Unsent,
                now: clock::now(),
                jitter: 0.0,
            });
            return;
        };
        let began = Instant::now();
        let attempt = self.sender.receiver.tell(&claim, self.sender.format).await;
        drop(slot);
        self.sender
            .metrics
            .spans()
            .notification
            .observe(began.elapsed());
        let now = clock::now();
        let jitter = fastrand::f64();
        self.health().attempted(&claim, &attempt, now, jitter);
        self.ahead().ended(matches!(attempt, Attempt::Delivered));
        drop(place);
        let outcome = self.outcome(&claim, attempt, now);
        // If the recorder has ended, the store is broken and the process stops.
        let _ = results.send(NotificationResult {
            claim,
            outcome,
            now,
            jitter,
        });
    }

    /// Waits for a slot; `None`: it came too late, or nothing may be sent any more.
    async fn slot(&self, since: Time) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        let slot = timeout(WAIT_MAX, self.slots.acquire());
        let slot = self.stop.run_until_cancelled(slot).await;
        let Some(Ok(Ok(slot))) = slot else {
            return None;
        };
        let now = clock::now();
        let may_send = now.since(since) <= WAIT_MAX
            && !self.stop.is_cancelled()
            && self.health().may_send(since, now);
        may_send.then_some(slot)
    }

    fn outcome(
        &self,
        claim: &NotificationClaim,
        attempt: Attempt,
        now: Time,
    ) -> NotificationOutcome {
        match attempt {
            Attempt::Delivered => NotificationOutcome::Delivered,
            Attempt::Gone => NotificationOutcome::Gone {
                failure: DeliveryFailure::Refused { status: 410 },
            },
            Attempt::Failed {
                failure,
                retry_after,
            } => {
                let made = claim.attempts.saturating_add(1);
                let wait = self.sender.retries.next(made, fastrand::f64(), retry_after);
                let again_at = wait.map(|wait| now.plus(wait));
                if again_at.is_none() {
                    self.health().parked(claim, &failure);
                }
                NotificationOutcome::Failed { failure, again_at }
            }
        }
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        lock(&self.ahead)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }
}

/// Locks a state that a panic elsewhere cannot leave half written.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
