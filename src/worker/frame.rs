//! Frame of the background workers: the loop that all of them share, with the reports of their outcomes.

use std::borrow::Cow;
use std::future::pending;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::metrics::Metrics;
use crate::redact::Throttle;
use crate::store::StoreError;

/// Maximum time for which a worker waits for work without a wake-up.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// Pause of a worker after an error of the store that may pass.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Minimum interval between two log lines that report the same failure of a worker.
pub(super) const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Worker that takes one step after the other until the service stops. [`run`] is its loop.
pub trait Worker: Send + Sync {
    /// State that one step of the worker leaves for the next.
    type State: Default + Send;

    /// Returns the name of the worker in the metrics and in the operators' answers.
    fn name(&self) -> Cow<'static, str>;

    /// Returns the wake-up that ends an idle pause. Without one, every pause lasts for its full time.
    fn wake_up(&self) -> Option<WakeUp<'_>> {
        None
    }

    /// Takes a step of the worker, and returns the pause after it. After an error of the store that may pass, [`run`]
    /// reports the error, pauses, and calls this again.
    fn step(
        &self,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<Pause, StoreError>> + Send;

    /// Ends the worker after its last step.
    fn stopped(&self, _state: Self::State) {}
}

/// Wake-up of a worker: a hint that there is work.
pub struct WakeUp<'a> {
    /// Notification that there is work.
    pub notify: &'a Notify,
    /// Time for which more work gathers before the worker's next step.
    pub gather: Duration,
}

/// Pause between two steps of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Pause in which the writer is free for others. No wake-up ends it.
    Rest(Duration),
    /// Pause because there is nothing to do. The worker's wake-up ends it.
    Idle(Duration),
}

/// Runs a worker until `stop` is cancelled. It gives its heartbeat, takes its steps, and reports their outcomes.
///
/// # Errors
///
/// Returns an error if the store can no longer be used.
pub async fn run<W: Worker>(
    worker: W,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let mut state = W::State::default();
    let name = worker.name();
    metrics.heartbeat(&name);
    while !stop.is_cancelled() {
        // The wake-up is registered before the step, so that work that arrives during the step ends the pause.
        let wake_up = worker.wake_up();
        let wake_up = wake_up.map(|wake_up| (wake_up.notify.notified(), wake_up.gather));
        let outcome = worker.step(&mut state).await;
        let pause = record_step(&metrics, &name, outcome)?;
        match pause.unwrap_or(Pause::Idle(STORE_PAUSE)) {
            // The timer would turn a pause of zero into a millisecond.
            Pause::Rest(Duration::ZERO) => {}
            Pause::Rest(span) => {
                stop.run_until_cancelled(sleep(span)).await;
            }
            Pause::Idle(span) => tokio::select! {
                () = woken(wake_up) => {}
                () = sleep(span) => {}
                () = stop.cancelled() => {}
            },
        }
    }
    worker.stopped(state);
    Ok(())
}

/// Waits until a worker is woken and more work has gathered; forever, if nothing wakes the worker.
async fn woken(wake_up: Option<(Notified<'_>, Duration)>) {
    match wake_up {
        Some((notified, gather)) => {
            notified.await;
            sleep(gather).await;
        }
        None => pending().await,
    }
}

/// Records the outcome of a worker's step where operators see it. Returns `None` for an error of the store after which
/// a retry makes sense.
///
/// # Errors
///
/// Returns the error if the process must stop.
pub(super) fn record_step<T>(
    metrics: &Metrics,
    worker: &str,
    outcome: Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    metrics.step(worker, &outcome, clock::now());
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) => retryable(error).map(|()| None),
    }
}

/// Returns `Ok` for an error of the store after which a retry makes sense, and the error itself if the process must
/// stop.
fn retryable(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Locked
        | StoreError::Full
        | StoreError::FileLimit { .. }
        | StoreError::LittleSpace { .. }
        | StoreError::Overloaded
        | StoreError::Unreachable(_)
        | StoreError::Unread(_)
        | StoreError::NoSuchCursor
        | StoreError::Rejected(_) => {
            log_failure(&error);
            Ok(())
        }
        StoreError::Broken(_) | StoreError::Closed => Err(error),
    }
}

/// Failures of workers that the log has reported. Every worker retries each second, for as long as a failure lasts.
static LOGGED: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(LOG_INTERVAL));

fn log_failure(error: &StoreError) {
    let reason = match error {
        // The free space is different each time, so it is no part of the key.
        StoreError::LittleSpace { .. } => "little space".to_owned(),
        other => other.to_string(),
    };
    if let Some(left_out) = LOGGED.pass(reason, Instant::now()) {
        tracing::error!(%error, left_out, "the store refused a write; trying again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::timeout;

    use super::*;

    /// Worker that takes the given steps, and then stops itself.
    struct Scripted {
        steps: Mutex<Vec<Result<Pause, StoreError>>>,
        notify: Notify,
        stop: CancellationToken,
    }

    impl Worker for Scripted {
        type State = ();

        fn name(&self) -> Cow<'static, str> {
            "scripted".into()
        }

        fn wake_up(&self) -> Option<WakeUp<'_>> {
            Some(WakeUp {
                notify: &self.notify,
                gather: Duration::ZERO,
            })
        }

        async fn step(&self, (): &mut ()) -> Result<Pause, StoreError> {
            // This work arrives during the step.
            self.notify.notify_waiters();
            let next = self.steps.lock().expect("no panic").pop();
            next.unwrap_or_else(|| {
                self.stop.cancel();
                Ok(Pause::Idle(Duration::ZERO))
            })
        }
    }

    /// Runs a worker to its end, which must come soon. Returns the time that it took.
    async fn time(steps: Vec<Result<Pause, StoreError>>) -> Result<Duration, StoreError> {
        let stop = CancellationToken::new();
        let worker = Scripted {
            steps: Mutex::new(steps),
            notify: Notify::new(),
            stop: stop.clone(),
        };
        let began = Instant::now();
        let running = run(worker, Arc::new(Metrics::new()), stop);
        let ended = timeout(Duration::from_secs(180), running).await;
        ended.expect("work that arrived during a step was slept through")?;
        Ok(began.elapsed())
    }

    #[tokio::test]
    async fn work_that_arrives_during_a_step_ends_an_idle_pause_and_no_rest() {
        let (hour, short) = (Duration::from_secs(3600), Duration::from_millis(50));
        assert!(time(vec![Ok(Pause::Idle(hour))]).await.is_ok());
        let rested = time(vec![Ok(Pause::Rest(short))])
            .await
            .expect("the worker ends");
        assert!(rested >= short, "{rested:?}");
    }

    #[tokio::test]
    async fn an_error_that_may_pass_repeats_the_step_and_another_ends_the_worker() {
        assert!(time(vec![Err(StoreError::Full)]).await.is_ok());
        let ended = time(vec![Err(StoreError::Closed)]).await;
        assert_eq!(ended, Err(StoreError::Closed));
    }
}
