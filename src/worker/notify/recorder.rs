//! Records the results of attempts: those that arrive close together share a commit.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

use super::rest;
use crate::metrics::Metrics;
use crate::store::{NotificationResult, Store, StoreError};
use crate::worker::frame::{STORE_PAUSE, record_step};
use crate::worker::gather::gather;

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
        loop {
            self.metrics.heartbeat(&name);
            match gather(&mut results).await {
                None => return Ok(()),
                Some(gathered) if gathered.is_empty() => {}
                Some(gathered) => {
                    let began = Instant::now();
                    self.record(&name, gathered).await?;
                    sleep(rest::after(began.elapsed(), self.store.spare())).await;
                }
            }
        }
    }

    /// Records results, and holds them until they are on disk or the store rejects them.
    async fn record(&self, name: &str, results: Vec<NotificationResult>) -> Result<(), StoreError> {
        let results: Arc<[NotificationResult]> = results.into();
        loop {
            let settled = self.store.settle_notifications(results.clone()).await;
            let rejected = matches!(settled, Err(StoreError::Rejected(_)));
            if record_step(&self.metrics, name, settled)?.is_some() {
                self.recorded.notify_one();
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
