//! Records the results of fetches: those that arrive close together share a commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout_at};

use super::traced;
use crate::clock;
use crate::metrics::Metrics;
use crate::redact::{millis, redacted};
use crate::store::{FetchResult, Recorded, Store, StoreError};
use crate::traces::Traces;
use crate::worker::frame::{STORE_PAUSE, record_step};
use crate::worker::gather::gather;
use crate::worker::logged_id;
use number_order::{Answer, Failure, Id};

/// Maximum time to read the histories by which the fetches of a commit belong to traces. The next results wait for it.
const HISTORIES_MAX: Duration = Duration::from_secs(1);

/// Recorder of the results of one project's fetches.
pub(in crate::worker) struct Recorder {
    /// Project whose results are recorded.
    pub project: Id,
    /// Store that keeps the results.
    pub store: Store,
    /// Metrics that receive the worker's heartbeat, and the outcome of the last fetch.
    pub metrics: Arc<Metrics>,
    /// Receiver of a span for each recorded fetch, in each trace to which the fetch belongs.
    pub traces: Traces,
}

impl Recorder {
    /// Records results of fetches until no sender is left.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can no longer be used.
    pub async fn run(self, mut results: UnboundedReceiver<FetchResult>) -> Result<(), StoreError> {
        let name = format!("record {}", self.project);
        loop {
            self.metrics.heartbeat(&name);
            match gather(&mut results).await {
                None => return Ok(()),
                Some(gathered) if gathered.is_empty() => {}
                Some(gathered) => self.record(&name, gathered).await?,
            }
        }
    }

    /// Records results of fetches, and holds them until they are on disk or the store rejects them.
    async fn record(&self, name: &str, results: Vec<FetchResult>) -> Result<(), StoreError> {
        let mut results: Arc<[FetchResult]> = results.into();
        loop {
            let recorded = self.store.record(results.clone()).await;
            // The store has set aside any row that spoils the others, so the reason is another one.
            let rejected = matches!(recorded, Err(StoreError::Rejected(_)));
            if let Some(recorded) = record_step(&self.metrics, name, recorded)? {
                self.report_results(&results, &recorded);
                self.trace(&results, &recorded).await;
                return Ok(());
            }
            if rejected {
                let (project, answers) = (&self.project, results.len());
                tracing::error!(%project, answers, "answers could not be recorded: their orders are fetched again");
                return Ok(());
            }
            sleep(STORE_PAUSE).await;
            let now = clock::now();
            results = results
                .iter()
                .map(|fetch| FetchResult {
                    now,
                    ..fetch.clone()
                })
                .collect();
        }
    }

    /// Records spans of fetches that are on disk. What cannot be read in time is left out: traces hold up no fetch.
    async fn trace(&self, results: &[FetchResult], recorded: &[Recorded]) {
        if !self.traces.is_on() {
            return;
        }
        let (now, deadline) = (clock::now(), Instant::now() + HISTORIES_MAX);
        for (fetch, recorded) in results.iter().zip(recorded) {
            let Recorded::Done { outcome, .. } = recorded else {
                continue;
            };
            let read = self.store.history(&fetch.claim.key);
            let Ok(Ok(Some(history))) = timeout_at(deadline, read).await else {
                tracing::debug!(
                    "a fetch is in no trace: its order's history could not be read in time"
                );
                continue;
            };
            for event in traced::events(&history.deliveries, &history.fetches, &fetch.policy) {
                self.traces
                    .record(|| traced::span(fetch, outcome, event, now));
            }
        }
    }

    fn report_results(&self, results: &[FetchResult], recorded: &[Recorded]) {
        for (fetch, recorded) in results.iter().zip(recorded) {
            let took = fetch.now.since(fetch.fetched_at);
            self.metrics.spans().fetch.observe(took);
            self.log_outcome(fetch, recorded);
            if let Recorded::Done {
                outcome, converged, ..
            } = recorded
            {
                if let Some(converged) = converged {
                    self.metrics.spans().convergence.observe(*converged);
                }
                let (at, answered) = (fetch.now, fetch.result.is_ok());
                self.metrics
                    .fetched(&self.project, at, answered, outcome.clone());
            }
        }
    }

    fn log_outcome(&self, fetch: &FetchResult, recorded: &Recorded) {
        let (project, order) = (&self.project, logged_id(&fetch.claim.key));
        let attempts = fetch.claim.attempts;
        let took_ms = millis(fetch.now.since(fetch.fetched_at));
        match recorded {
            Recorded::Fenced => {
                tracing::warn!(%project, %order, took_ms, "the answer came after the lease had run out");
            }
            Recorded::RowAtFault { reason } => {
                let reason = redacted(reason);
                tracing::error!(%project, %order, attempts, %reason, "parked the order: its row is at fault");
            }
            Recorded::Done {
                outcome,
                parked: Some(parked),
                ..
            } => {
                let text = parked.to_string();
                let (text, parked) = (redacted(&text), parked.code());
                tracing::error!(%project, %order, attempts, outcome = outcome.code(), parked, %text, "parked the order");
            }
            Recorded::Done {
                outcome,
                anomaly: true,
                ..
            } => {
                let text = outcome.to_string();
                let (text, outcome) = (redacted(&text), outcome.code());
                let unreadable_expiry = unreadable_expiry(&fetch.result);
                tracing::warn!(%project, %order, attempts, took_ms, outcome, %text, unreadable_expiry, "fetched an anomaly");
            }
            Recorded::Done { outcome, .. } => {
                let text = outcome.to_string();
                let (text, outcome) = (redacted(&text), outcome.code());
                tracing::info!(%project, %order, attempts, took_ms, outcome, %text, "fetched");
            }
        }
    }
}

/// Returns the beginning of an `expireTime` that could not be read, fit for the log.
fn unreadable_expiry(result: &Result<Answer, Failure>) -> Option<String> {
    let Ok(Answer::Found(shown)) = result else {
        return None;
    };
    let expiry = shown.unreadable_expiry.as_deref()?;
    Some(redacted(expiry).into_owned())
}
