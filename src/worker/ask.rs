//! Asks Sinch for the orders of one project that are due, within its budget, while its gate is open.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{self, Passage, Trouble};
use super::{POLL, STORE_PAUSE, logged, passing};
use crate::clock;
use crate::order::{BackOff, Failure, Id, Rule};
use crate::sinch::api::{AskError, Client, Fault};
use crate::store::{Claim, ClaimRequest, Gate, Outcome, Settled, Store, StoreError};
use crate::vitals::Vitals;

/// The worker that asks for one project.
pub struct Asker {
    /// The project.
    pub project: Id,
    /// Who asks.
    pub client: Client,
    /// Where due orders and answers are kept.
    pub store: Store,
    /// The rules by which answers are weighed.
    pub rule: Rule,
    /// How failed tries are spaced.
    pub back_off: BackOff,
    /// Questions under way at once.
    pub lanes: usize,
    /// Questions a second at most, over time.
    pub asks_per_second: f64,
    /// How long a question can take at worst.
    pub lease: Duration,
    /// The gate as an earlier run left it.
    pub gate: Gate,
    /// By which an operator opens it again.
    pub resume: Arc<Notify>,
    /// Where it shows that it is alive.
    pub vitals: Arc<Vitals>,
}

/// What the lanes of one project share.
struct Shared {
    asker: Asker,
    gate: Mutex<Gate>,
    /// The order whose try failed last, until one succeeds. Many tries of one order that fail speak of
    /// that order; failures of different ones in a row speak of the provider.
    failed_last: Mutex<Option<Id>>,
    /// Says that the store cannot be used any more.
    broken: CancellationToken,
    /// Says that what is under way is to be let go; its leases run out.
    abort: CancellationToken,
}

impl Asker {
    /// Works until told to stop, then waits for what is under way, unless told to abort that too.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(
        self,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let lanes = Arc::new(Semaphore::new(self.lanes));
        let budget = budget(self.asks_per_second);
        let name = format!("ask {}", self.project);
        let shared = Arc::new(Shared {
            gate: Mutex::new(self.gate.clone()),
            failed_last: Mutex::default(),
            broken: stop.child_token(),
            abort,
            asker: self,
        });
        shared
            .asker
            .vitals
            .gate(&shared.asker.project, &shared.gate());
        let tasks = TaskTracker::new();
        let work = async {
            loop {
                let woken = shared.asker.store.asks().notified();
                let pause = shared.fill_lanes(&lanes, &budget, &tasks).await?;
                if let Some(pause) = pause {
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep(pause) => {}
                        () = shared.asker.resume.notified() => shared.set_gate(Gate::default()).await,
                    }
                }
            }
        };
        // Beside the work, which may rightly wait for long: for the budget, or for Sinch.
        let live = async {
            loop {
                shared.asker.vitals.beat(&name);
                tokio::time::sleep(POLL).await;
            }
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = live => Ok(()),
            () = shared.broken.cancelled() => match stop.is_cancelled() {
                true => Ok(()),
                false => Err(StoreError::Closed),
            },
        };
        tasks.close();
        tasks.wait().await;
        outcome
    }
}

/// One question each `1 / per_second`, with room to catch up after a pause of a tenth of a second.
fn budget(per_second: f64) -> DefaultDirectRateLimiter {
    let period = Duration::from_secs_f64(1.0 / per_second.max(1e-3));
    let burst = NonZeroU32::new((per_second / 10.0) as u32).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(period.max(Duration::from_nanos(1)));
    let once_a_day = Quota::per_hour(NonZeroU32::MIN);
    RateLimiter::direct(quota.unwrap_or(once_a_day).allow_burst(burst))
}

impl Shared {
    /// Starts as many questions as gate, lanes and budget allow; `Some`: how long there is nothing to do.
    async fn fill_lanes(
        self: &Arc<Self>,
        lanes: &Arc<Semaphore>,
        budget: &DefaultDirectRateLimiter,
        tasks: &TaskTracker,
    ) -> Result<Option<Duration>, StoreError> {
        let now = clock::now();
        let passage = gate::passage(&self.gate(), now);
        let probing = match passage {
            Passage::Open => false,
            Passage::Probe => true,
            // Not longer than the poll: an operator may set the clock, or the trouble may be over.
            Passage::Closed(until) => return Ok(Some(until.since(now).min(POLL))),
        };
        let all = self.asker.lanes as u32;
        // A probe goes out alone, when nothing else is under way.
        let wanted = if probing { all } else { 1 };
        let Ok(first) = lanes.clone().acquire_many_owned(wanted).await else {
            return Ok(Some(POLL));
        };
        budget.until_ready().await;
        // Waiting takes time, in which what was under way may have closed the gate.
        if gate::passage(&self.gate(), clock::now()) != passage {
            return Ok(None);
        }
        let mut permits = vec![first];
        while !probing
            && let Ok(permit) = lanes.clone().try_acquire_owned()
            && budget.check().is_ok()
        {
            permits.push(permit);
        }
        let request = ClaimRequest {
            project: self.asker.project.clone(),
            orders_max: permits.len() as u32,
            now: clock::now(),
            lease: self.asker.lease,
        };
        let claims = match self.asker.store.claim(request).await {
            Ok(claims) => claims,
            Err(error) => {
                passing(error)?;
                return Ok(Some(STORE_PAUSE));
            }
        };
        let idle = claims.len() < permits.len();
        for (claim, permit) in claims.into_iter().zip(permits) {
            let (abort, asking) = (self.abort.clone(), self.clone().ask(claim, permit));
            tasks.spawn(async move { abort.run_until_cancelled(asking).await });
        }
        Ok(idle.then_some(POLL))
    }

    fn gate(&self) -> Gate {
        lock(&self.gate).clone()
    }

    /// One order, from the question to the commit.
    async fn ask(self: Arc<Self>, claim: Claim, _permit: OwnedSemaphorePermit) {
        let asked_at = clock::now();
        let result = self.asker.client.get_order(&claim.key.order).await;
        let now = clock::now();
        let (result, healthy) = match result {
            Ok(answer) => {
                lock(&self.failed_last).take();
                self.set_gate(Gate::default()).await;
                (Ok(answer), true)
            }
            Err(error) => {
                let healthy = error.whose() == Fault::Order && self.gate().paused.is_none();
                self.note_trouble(&error, &claim.key.order).await;
                (Err(failure(&error)), healthy)
            }
        };
        let mut outcome = Outcome {
            claim,
            asked_at,
            result,
            healthy,
            now,
            roll: fastrand::f64(),
            rule: self.asker.rule.clone(),
            back_off: self.asker.back_off.clone(),
        };
        // The answer is here; it is not let go until it is on disk.
        loop {
            match self.asker.store.settle(outcome.clone()).await {
                Ok(settled) => return self.report(&outcome, &settled),
                Err(StoreError::Rejected(reason)) => {
                    // Counted at the claim, and tried again when the lease has run out.
                    let order = logged(&outcome.claim.key);
                    return tracing::error!(order, reason, "an answer could not be recorded");
                }
                Err(error) => {
                    if passing(error).is_err() {
                        return self.broken.cancel();
                    }
                }
            }
            tokio::time::sleep(STORE_PAUSE).await;
            outcome.now = clock::now();
        }
    }

    async fn note_trouble(&self, error: &AskError, order: &Id) {
        let failed_last = lock(&self.failed_last).replace(order.clone());
        if error.whose() == Fault::Order && failed_last.as_ref() == Some(order) {
            return;
        }
        let trouble = Trouble {
            reason: error.to_string(),
            retry_after: error.retry_after(),
            refused: error.is_refused(),
        };
        let (before, roll) = (self.gate(), fastrand::f64());
        let cap = self.asker.back_off.cap;
        let gate = gate::after_trouble(&before, &trouble, clock::now(), cap, roll);
        if gate.paused.is_some() && before.paused.is_none() {
            let (project, reason) = (&self.asker.project, trouble.reason.as_str());
            tracing::error!(%project, reason, "asking pauses: the provider is in trouble");
        }
        self.set_gate(gate).await;
    }

    /// Keeps the gate, in memory and in the database. That a database in trouble forgets it over a
    /// restart does no harm: the trouble is met again.
    async fn set_gate(&self, gate: Gate) {
        let before = std::mem::replace(&mut *lock(&self.gate), gate.clone());
        if before == gate {
            return;
        }
        let project = &self.asker.project;
        self.asker.vitals.gate(project, &gate);
        if before.paused.is_some() && gate.paused.is_none() {
            tracing::info!(%project, failures = before.failures, "asking goes on: the provider answers");
        }
        if before.paused.is_some() || gate.paused.is_some() {
            let kept = self.asker.store.keep_gate(project.clone(), gate).await;
            if let Err(error) = kept {
                tracing::warn!(%project, %error, "the pause could not be kept");
            }
        }
    }

    fn report(&self, outcome: &Outcome, settled: &Settled) {
        let (project, order) = (&self.asker.project, logged(&outcome.claim.key));
        let attempts = outcome.claim.attempts;
        let took_ms = outcome.now.since(outcome.asked_at).as_millis();
        let words = match settled {
            Settled::Fenced => {
                tracing::warn!(%project, order, took_ms, "the answer came after the lease had run out");
                return;
            }
            Settled::Done {
                finding,
                parked: Some(parked),
                ..
            } => {
                tracing::error!(%project, order, attempts, finding, parked, "parked the order");
                finding
            }
            Settled::Done {
                finding,
                anomaly: true,
                ..
            } => {
                tracing::warn!(%project, order, attempts, took_ms, finding, "asked, and was surprised");
                finding
            }
            Settled::Done { finding, .. } => {
                tracing::info!(%project, order, attempts, took_ms, finding, "asked");
                finding
            }
        };
        let answered = outcome.result.is_ok();
        let vitals = &self.asker.vitals;
        vitals.asked(project, outcome.now, answered, words.clone());
    }
}

/// A panic elsewhere cannot leave these half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn failure(error: &AskError) -> Failure {
    Failure {
        reason: error.to_string(),
        wait_min: error.retry_after().unwrap_or_default(),
    }
}
