//! Records the results of attempts: those that arrive close together share a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;
use crate::store::{NotificationResult, Store, StoreError};
use crate::worker::frame::{POLL, STORE_PAUSE, record_step};

/// Time for which results gather before they are recorded. Their slots are free already; the next notification of their
/// order waits.
const GATHER_TIME: Duration = Duration::from_millis(3);

/// Maximum number of results that are recorded at once.
const BATCH_MAX: usize = 256;

/// Recorder of the results of one target's attempts.
pub(super) struct Recorder {
    /// Name of the target.
    pub target: String,
    /// Store that keeps the results.
    pub store: Store,
    /// Metrics that receive the recorder's heartbeat.
    pub metrics: Arc<Metrics>,
    /// Notification that results are recorded, so that the next notifications of their orders may be due.
    pub recorded: Arc<Notify>,
    /// Number of results that are not recorded yet.
    pub unrecorded: Arc<AtomicUsize>,
}

impl Recorder {
    /// Records results until no sender is left.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(
        self,
        mut results: UnboundedReceiver<NotificationResult>,
    ) -> Result<(), StoreError> {
        let name = format!("settle {}", self.target);
        let mut gathered = Vec::new();
        loop {
            self.metrics.heartbeat(&name);
            let received = results.recv_many(&mut gathered, BATCH_MAX);
            match timeout(POLL, received).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(_) => continue,
            }
            sleep(GATHER_TIME).await;
            while gathered.len() < BATCH_MAX
                && let Ok(result) = results.try_recv()
            {
                gathered.push(result);
            }
            let count = gathered.len();
            self.record(&name, std::mem::take(&mut gathered)).await?;
            self.unrecorded.fetch_sub(count, Relaxed);
            self.recorded.notify_one();
        }
    }

    /// Records results, and holds them until they are on disk or the store rejects them.
    async fn record(&self, name: &str, results: Vec<NotificationResult>) -> Result<(), StoreError> {
        let results: Arc<[NotificationResult]> = results.into();
        loop {
            let settled = self.store.settle_notifications(results.clone()).await;
            let rejected = matches!(settled, Err(StoreError::Rejected(_)));
            if record_step(&self.metrics, name, settled)?.is_some() {
                return Ok(());
            }
            if rejected {
                let (target, results) = (&self.target, results.len());
                tracing::error!(%target, results, "results could not be recorded: their notifications are sent again");
                return Ok(());
            }
            sleep(STORE_PAUSE).await;
        }
    }
}
