//! The service from its start to its end: it runs until it is told to stop or a part fails, and drains.

use tokio_util::sync::CancellationToken;

use super::App;
use super::error::RunError;
use super::settings::soft_grace;
use crate::store::StoreError;

impl App {
    /// Runs until `stop` is cancelled. Then it answers the requests in flight, records what Sinch answers in time,
    /// checkpoints the WAL into the database, and ends within the grace. The leases of the remaining fetches are void
    /// at the next start.
    ///
    /// # Errors
    ///
    /// Returns an error if a part of the service failed. Nothing that was acknowledged is lost by that.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        // An owner that has not taken it has no configuration to read again.
        drop(self.reloads.take());
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.running.join_next() => match ended {
                Some(Ok((_, Err(error)))) => Err(error),
                Some(Ok((part, Ok(())))) => Err(RunError::Ended(part)),
                Some(Err(_)) => Err(RunError::Ended("a part of the service that panicked")),
                None => Err(RunError::Ended("everything")),
            },
        };
        match &outcome {
            Ok(()) => tracing::info!("stopping: answering what is in flight"),
            Err(error) => tracing::error!(%error, "stopping: the service cannot go on"),
        }
        let drained = self.drain().await;
        root_cause(outcome, drained)
    }

    async fn drain(mut self) -> Result<(), RunError> {
        // The time that the writer needs for its last checkpoint is kept back from the other parts.
        let soft = soft_grace(self.grace);
        // A caller that connects from now on is refused, unless the listeners were taken from here.
        drop(self.listeners.take());
        self.metrics.drain();
        self.stop.cancel();
        let abort = self.abort.clone();
        let running = &mut self.running;
        let all = async {
            let mut outcome = Ok(());
            while let Some(ended) = running.join_next().await {
                let ended = match ended {
                    Ok((_, ended)) => ended,
                    Err(_) => Err(RunError::Ended("a part that panicked")),
                };
                outcome = root_cause(outcome, ended);
            }
            outcome
        };
        tokio::pin!(all);
        let outcome = tokio::select! {
            outcome = &mut all => outcome,
            () = tokio::time::sleep(soft) => {
                tracing::warn!("abandoning fetches that are still in flight");
                abort.cancel();
                match tokio::time::timeout(self.grace.saturating_sub(soft), all).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(RunError::Ended("the grace")),
                }
            }
        };
        tracing::info!("stopped");
        outcome
    }
}

/// Returns, of the errors of two parts, the one that tells why the service stops: the first error, unless it only says
/// that the database is closed. That follows from the reason for which the writer closed it.
fn root_cause(first: Result<(), RunError>, second: Result<(), RunError>) -> Result<(), RunError> {
    match (first, second) {
        (Err(RunError::Store(StoreError::Closed)), Err(reason)) => Err(reason),
        (first, second) => first.and(second),
    }
}
