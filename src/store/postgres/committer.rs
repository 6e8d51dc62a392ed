//! Committers: each takes the callbacks that wait, commits them as one batch, and answers each.
//!
//! While one batch is under way, the next one gathers: the server flushes one commit at a time, so a batch that begins early
//! only shuts out the callbacks that come next, and a statement costs as much as many of its rows. Where a flush takes long,
//! the next batch begins before it ends. An answer that got lost on a cut connection is asked for again: the key of each
//! delivery tells if it was in.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Connector, OPERATION_MAX};
use super::error::{Class, Fault};
use super::inbox::{self, BATCH_MAX, Incoming};
use super::lane::RETRY_PAUSE;
use super::under_way::UnderWay;
use crate::redact::Throttle;
use crate::store::{Accepted, StoreError};

/// Number of committers of a replica: a second one overlaps one batch's statement with the other's flush.
pub(super) const COMMITTERS: usize = 2;

/// Time for which a callback waits while the database cannot be reached. Then it is refused, and its sender tries again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Pauses between two tries to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A callback that waits for its commit.
pub(super) struct Call {
    delivery: Incoming,
    queued_at: Instant,
    reply: oneshot::Sender<Result<Accepted, StoreError>>,
}

impl Call {
    pub(super) fn new(
        delivery: Incoming,
    ) -> (Call, oneshot::Receiver<Result<Accepted, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let queued_at = Instant::now();
        let call = Call {
            delivery,
            queued_at,
            reply,
        };
        (call, answer)
    }
}

/// What the committers share: the callbacks that wait, and the batches under way.
pub(super) struct Queue {
    calls: Mutex<mpsc::Receiver<Call>>,
    under_way: Arc<UnderWay>,
}

impl Queue {
    pub(super) fn new(calls: mpsc::Receiver<Call>, under_way: Arc<UnderWay>) -> Queue {
        Queue {
            calls: Mutex::new(calls),
            under_way,
        }
    }

    /// Takes the callbacks that wait, once there are any; returns `false` if none can come any more.
    ///
    /// While another batch is under way, more of them gather, until it has ended or half of its usual time has passed.
    async fn take(&self, calls: &mut Vec<Call>) -> bool {
        let mut queue = self.calls.lock().await;
        if queue.recv_many(calls, BATCH_MAX).await == 0 {
            return false;
        }
        if self.under_way.gathered().await {
            while calls.len() < BATCH_MAX
                && let Ok(call) = queue.try_recv()
            {
                calls.push(call);
            }
        }
        true
    }
}

/// Results of accepting a batch's deliveries.
type Outcomes = Vec<Result<Accepted, StoreError>>;

/// Minimum interval between two log lines with the same reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Reasons for retries that the log has reported.
static LOGGED: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(LOG_INTERVAL));

/// A committer, with its own connection.
pub(super) struct Committer {
    connector: Connector,
    db: Option<PgConnection>,
    pause: Duration,
}

impl Committer {
    pub(super) fn new(connector: Connector) -> Committer {
        let pause = BACK_OFF.0;
        Committer {
            connector,
            db: None,
            pause,
        }
    }

    /// Commits batches of callbacks until all senders are dropped.
    ///
    /// # Errors
    ///
    /// Fails if the database can no longer be trusted, or is not ours any more. The process must stop.
    pub(super) async fn run(mut self, queue: Arc<Queue>) -> Result<(), StoreError> {
        let mut calls = Vec::with_capacity(BATCH_MAX);
        while queue.take(&mut calls).await {
            let queued_at = calls.iter().map(|call| call.queued_at).min();
            let deadline = queued_at.unwrap_or_else(Instant::now) + PATIENCE;
            let (deliveries, replies): (Vec<Incoming>, Vec<_>) = calls
                .drain(..)
                .map(|call| (call.delivery, call.reply))
                .unzip();
            let began = Instant::now();
            queue.under_way.begin(began);
            let outcomes = self.outcomes(&deliveries, deadline).await;
            queue.under_way.end(began, Instant::now(), deliveries.len());
            let broken = outcomes.iter().find_map(|outcome| match outcome {
                Err(error @ StoreError::Broken(_)) => Some(error.clone()),
                _ => None,
            });
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // The caller may have gone away. What is committed stays committed.
                let _ = reply.send(outcome);
            }
            if let Some(broken) = broken {
                return Err(broken);
            }
        }
        Ok(())
    }

    /// Commits a batch, and returns the result of each callback. If the database refuses the batch, each is tried alone,
    /// so that a refused one does not keep the others from being stored.
    async fn outcomes(&mut self, deliveries: &[Incoming], deadline: Instant) -> Outcomes {
        let together = self.accept(deliveries, deadline).await;
        match together {
            Ok(accepted) => accepted,
            Err(StoreError::Rejected(_)) if deliveries.len() > 1 => {
                let mut outcomes = Vec::with_capacity(deliveries.len());
                for alone in deliveries.chunks(1) {
                    let accepted = self.accept(alone, deadline).await;
                    outcomes.extend(accepted.unwrap_or_else(|error| vec![Err(error)]));
                }
                outcomes
            }
            Err(error) => vec![Err(error); deliveries.len()],
        }
    }

    /// Commits deliveries. What fails for a reason that may pass is tried again until the deadline, and once at least.
    async fn accept(
        &mut self,
        deliveries: &[Incoming],
        deadline: Instant,
    ) -> Result<Outcomes, StoreError> {
        loop {
            let fault = match self.try_accept(deliveries).await {
                Ok(accepted) => {
                    self.pause = BACK_OFF.0;
                    return Ok(accepted);
                }
                Err(fault) => fault,
            };
            let pause = match fault.class() {
                Class::Retry => RETRY_PAUSE,
                Class::Reconnect => self.longer_pause(),
                Class::Full | Class::Short | Class::Refuse | Class::Unread | Class::Stop => {
                    return Err(fault.into());
                }
            };
            if Instant::now() + pause > deadline {
                return Err(fault.into());
            }
            if let Some(left_out) = LOGGED.pass(fault.to_string(), Instant::now().into_std()) {
                tracing::warn!(%fault, left_out, "callbacks could not be stored yet; trying again");
            }
            sleep(pause).await;
        }
    }

    /// Returns the pause before the next try to connect: twice the one before.
    fn longer_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(BACK_OFF.1);
        pause
    }

    /// Commits deliveries once. A connection on which anything else than a refusal happened is dropped.
    async fn try_accept(&mut self, deliveries: &[Incoming]) -> Result<Outcomes, Fault> {
        let mut db = match self.db.take() {
            Some(db) => db,
            None => self.connector.connect().await?,
        };
        let accepted = timeout(OPERATION_MAX, inbox::accept(&mut db, deliveries)).await;
        let accepted = accepted.unwrap_or(Err(Fault::Late(OPERATION_MAX.as_secs())));
        match accepted.as_ref().map_err(Fault::class) {
            Err(Class::Reconnect | Class::Stop) => {}
            Ok(_) | Err(_) => self.db = Some(db),
        }
        accepted
    }
}
