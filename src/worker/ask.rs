//! Asks Sinch for the orders of one project that are due, within its budget, while its gate is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pace::{Limits, Next, Pace};
use super::{POLL, STORE_PAUSE, logged, passing};
use crate::clock;
use crate::order::{BackOff, Id, Rule};
use crate::sinch::api::Client;
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
    pace: Mutex<Pace>,
    /// The gate as it was last kept. Locked while it is being written, so that the last word stays.
    kept: tokio::sync::Mutex<Gate>,
    /// Wakes whoever waits for a lane, or for the gate.
    ended: Notify,
    /// Says that the store cannot be used any more.
    broken: CancellationToken,
    /// Says that what is under way is to be let go; its leases run out.
    abort: CancellationToken,
}

/// A lane that is taken; it is free again when this is dropped, however its question ended.
struct Lane(Arc<Shared>);

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.pace().freed();
        self.0.ended.notify_one();
    }
}

/// How long there is nothing to do, and for whom that may end sooner.
enum Pause {
    /// For nobody: there is more to do.
    None,
    /// For news: no order is due.
    Idle(Duration),
    /// For a question that ends: lanes, rate or gate hold it up.
    HeldUp(Duration),
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
        let limits = Limits {
            lanes: u32::try_from(self.lanes).unwrap_or(u32::MAX),
            asks_per_second: self.asks_per_second,
            probes_apart_max: self.back_off.cap,
        };
        let name = format!("ask {}", self.project);
        self.vitals.gate(&self.project, &self.gate);
        let shared = Arc::new(Shared {
            pace: Mutex::new(Pace::new(limits, self.gate.clone(), clock::now())),
            kept: tokio::sync::Mutex::new(self.gate.clone()),
            ended: Notify::new(),
            broken: stop.child_token(),
            abort,
            asker: self,
        });
        let tasks = TaskTracker::new();
        let work = async {
            loop {
                shared.work(&tasks).await?;
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

impl Shared {
    /// Begins what can be begun, then waits until there may be more to do.
    async fn work(self: &Arc<Self>, tasks: &TaskTracker) -> Result<(), StoreError> {
        // Registered before looking, so that what comes meanwhile is not slept through.
        let news = self.asker.store.asks().notified();
        let (idle, span) = match self.begin(tasks).await? {
            Pause::None => return Ok(()),
            Pause::Idle(span) => (true, span),
            Pause::HeldUp(span) => (false, span),
        };
        tokio::select! {
            () = news, if idle => {}
            () = self.ended.notified(), if !idle => {}
            () = tokio::time::sleep(span) => {}
            () = self.asker.resume.notified() => {
                self.pace().resumed();
                self.keep_gate().await;
            }
        }
        Ok(())
    }

    /// Begins as many questions as gate, lanes and budget allow.
    async fn begin(self: &Arc<Self>, tasks: &TaskTracker) -> Result<Pause, StoreError> {
        let now = clock::now();
        let next = self.pace().next(now);
        let (orders_max, urgent_max) = match next {
            Next::Ask {
                orders_max,
                urgent_max,
            } => (orders_max, urgent_max),
            Next::Wait(until) => return Ok(Pause::HeldUp(until.since(now).min(POLL))),
            Next::Full => return Ok(Pause::HeldUp(POLL)),
        };
        let lanes: Vec<Lane> = (0..orders_max).map(|_| Lane(self.clone())).collect();
        let request = ClaimRequest {
            project: self.asker.project.clone(),
            orders_max,
            urgent_max,
            now,
            lease: self.asker.lease,
        };
        let claims = match self.asker.store.claim(request).await {
            Ok(claims) => claims,
            Err(error) => {
                passing(error)?;
                return Ok(Pause::Idle(STORE_PAUSE));
            }
        };
        let idle = claims.len() < lanes.len();
        for (claim, lane) in claims.into_iter().zip(lanes) {
            let (abort, asking) = (self.abort.clone(), self.clone().ask(claim, lane));
            tasks.spawn(async move { abort.run_until_cancelled(asking).await });
        }
        Ok(match idle {
            true => Pause::Idle(POLL),
            false => Pause::None,
        })
    }

    /// A panic elsewhere cannot leave it half written.
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One order, from the question to the commit.
    async fn ask(self: Arc<Self>, claim: Claim, lane: Lane) {
        let asked_at = clock::now();
        let result = self.asker.client.get_order(&claim.key.order).await;
        let now = clock::now();
        let roll = fastrand::f64();
        let (result, healthy) = self.pace().tried(&claim.key.order, result, now, roll);
        self.keep_gate().await;
        // Sinch has answered, so it may be asked the next question while this one is being settled. That the
        // claim of the next waits for the same writer keeps it from running away.
        drop(lane);
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

    /// Keeps the gate as it is by now, where operators see it and in the database. That a database in
    /// trouble forgets it over a restart does no harm: the trouble is met again.
    async fn keep_gate(&self) {
        let mut kept = self.kept.lock().await;
        let gate = self.pace().gate().clone();
        if *kept == gate {
            return;
        }
        let before = std::mem::replace(&mut *kept, gate.clone());
        let project = &self.asker.project;
        self.asker.vitals.gate(project, &gate);
        match (&before.paused, &gate.paused) {
            (None, None) => return,
            (None, Some((until, reason))) => {
                tracing::error!(%project, reason, %until, "asking pauses: the provider is in trouble");
            }
            (Some(_), None) => {
                tracing::info!(%project, failures = before.failures, "asking goes on");
            }
            (Some(_), Some(_)) => {}
        }
        let written = self.asker.store.keep_gate(project.clone(), gate).await;
        if let Err(error) = written {
            tracing::warn!(%project, %error, "the pause could not be kept");
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
