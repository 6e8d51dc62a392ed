//! Keeps callbacks that were refused and are perhaps genuine. What is answered 200 has precedence: a step is small, and none
//! is taken while the store is full.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Pause, STORE_PAUSE, Worker};
use crate::metrics::Metrics;
use crate::redact::Throttle;
use crate::store::{NewQuarantined, QuarantineReason, Quarantining, Store, StoreError};
use number_order::Id;

/// Maximum number of callbacks that one step keeps, so that no callback waits long for its answer.
const STEP_MAX: usize = 16;

/// Pause between two steps.
const REST: Duration = Duration::from_millis(100);

/// Time after which a worker with nothing to do looks again.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Maximum time for which a stop waits for what the listener still hands over, and for its last step.
const LAST_MAX: Duration = Duration::from_secs(2);

/// Minimum interval between two log lines about a project's callbacks that were refused for one reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Worker that keeps callbacks that were refused; clones share it.
#[derive(Clone)]
pub struct QuarantineWorker(Arc<Shared>);

struct Shared {
    store: Store,
    metrics: Arc<Metrics>,
    waiting: Mutex<Waiting>,
    logged: Throttle<(Id, QuarantineReason)>,
}

/// What waits to be kept.
struct Waiting {
    arrived: mpsc::Receiver<NewQuarantined>,
    /// What the next step keeps.
    next: Vec<NewQuarantined>,
}

impl Waiting {
    /// Takes what has arrived, as much as one step keeps; `false`: nothing waits.
    fn take(&mut self) -> bool {
        while self.next.len() < STEP_MAX
            && let Ok(callback) = self.arrived.try_recv()
        {
            self.next.push(callback);
        }
        !self.next.is_empty()
    }
}

impl Worker for QuarantineWorker {
    type State = ();

    fn name(&self) -> Cow<'static, str> {
        "quarantine".into()
    }

    async fn step(&self, (): &mut ()) -> Result<Pause, StoreError> {
        let mut waiting = self.0.waiting.lock().await;
        if !waiting.take() {
            return Ok(Pause::Idle(LOOK_INTERVAL));
        }
        if self.0.store.is_full() {
            return Ok(Pause::Idle(STORE_PAUSE));
        }
        self.keep(&mut waiting.next).await?;
        Ok(Pause::Rest(REST))
    }
}

impl QuarantineWorker {
    /// Returns the worker that keeps what arrives.
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        arrived: mpsc::Receiver<NewQuarantined>,
    ) -> QuarantineWorker {
        let next = Vec::new();
        QuarantineWorker(Arc::new(Shared {
            store,
            metrics,
            waiting: Mutex::new(Waiting { arrived, next }),
            logged: Throttle::new(LOG_INTERVAL),
        }))
    }

    /// Runs until `stop` is cancelled, and then until the listener that hands over has ended. What the store does not take in
    /// time is counted.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        frame::run(self.clone(), self.0.metrics.clone(), stop).await?;
        let deadline = Instant::now() + LAST_MAX;
        let mut waiting = self.0.waiting.lock().await;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !waiting.take() {
                match timeout(left, waiting.arrived.recv()).await {
                    Ok(Some(callback)) => waiting.next.push(callback),
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
            let kept = timeout(left, self.keep(&mut waiting.next)).await;
            if !matches!(kept, Ok(Ok(()))) {
                break;
            }
        }
        while waiting.take() {
            self.count_dropped(&waiting.next);
            waiting.next.clear();
        }
        Ok(())
    }

    /// Keeps callbacks. One that the database refuses spoils no other.
    async fn keep(&self, callbacks: &mut Vec<NewQuarantined>) -> Result<(), StoreError> {
        match self.0.store.quarantine(callbacks.clone()).await {
            Ok(done) => self.report(callbacks, &done),
            Err(StoreError::Rejected(_)) => {
                for callback in callbacks.iter() {
                    let alone = vec![callback.clone()];
                    match self.0.store.quarantine(alone.clone()).await {
                        Ok(done) => self.report(&alone, &done),
                        Err(StoreError::Rejected(_)) => self.count_dropped(&alone),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        callbacks.clear();
        Ok(())
    }

    fn count_dropped(&self, callbacks: &[NewQuarantined]) {
        for callback in callbacks {
            self.0
                .metrics
                .quarantine_dropped(&callback.project, callback.reason);
        }
    }

    /// Counts what found no room, and reports to the log what is kept, now and then.
    fn report(&self, callbacks: &[NewQuarantined], done: &[Quarantining]) {
        for (callback, done) in callbacks.iter().zip(done) {
            let NewQuarantined {
                project, reason, ..
            } = callback;
            if *done == Quarantining::NoRoom {
                self.0.metrics.quarantine_dropped(project, *reason);
            }
            let now = std::time::Instant::now();
            if let Some(left_out) = self.0.logged.pass((project.clone(), *reason), now) {
                tracing::warn!(
                    %project,
                    why = reason.code(),
                    source = %callback.origin.source,
                    has_room = *done != Quarantining::NoRoom,
                    left_out,
                    "a callback was refused and is perhaps genuine: see sinch-callbacks quarantine"
                );
            }
        }
    }
}
