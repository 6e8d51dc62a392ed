//! Processes the inbox: every pending delivery, soon after its arrival, whether or not the API is well.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::time::Instant;

use super::frame::{LOG_INTERVAL, POLL, Pause, WakeUp, Worker};
use super::rhythm::Rhythm;
use super::{logged_id, traced};
use crate::clock;
use crate::metrics::Metrics;
use crate::redact::{Throttle, millis, redacted};
use crate::store::{ProcessReport, ProcessRequest, Store, StoreError};
use crate::traces::Traces;
use number_order::{Id, OrderKey, Policy, Time};

/// Time for which pending deliveries gather before they are processed, so that not every callback is followed by a
/// commit.
const GATHER: Duration = Duration::from_millis(3);

/// Worker that processes the inbox.
pub struct InboxWorker {
    /// Store that holds the pending deliveries.
    pub store: Store,
    /// Policy by which events are applied.
    pub policy: Policy,
    /// Projects whose API is off: their orders may not be fetched.
    pub api_off: Vec<Id>,
    /// Metrics that receive how long processing takes.
    pub metrics: Arc<Metrics>,
    /// Receiver of a span for each processed delivery.
    pub traces: Traces,
}

impl Worker for InboxWorker {
    type State = Rhythm;

    fn name(&self) -> Cow<'static, str> {
        "inbox".into()
    }

    fn wake_up(&self) -> Option<WakeUp<'_>> {
        Some(WakeUp {
            notify: self.store.pending(),
            gather: GATHER,
        })
    }

    async fn step(&self, rhythm: &mut Rhythm) -> Result<Pause, StoreError> {
        let (began, now) = (Instant::now(), clock::now());
        let sizes = self.store.batch_sizes();
        let request = ProcessRequest {
            deliveries_max: rhythm.batch_max(&sizes),
            now,
            policy: self.policy.clone(),
            api_off: self.api_off.clone(),
        };
        let report = self.store.process(request).await?;
        log_report(&report, &self.traces);
        self.observe(began, &report);
        self.trace(now, &report);
        let rest = rhythm.after_batch(began, began.elapsed(), &report, self.store.spare(), &sizes);
        if report.taken > 0 {
            Ok(Pause::Rest(rest))
        } else {
            Ok(Pause::Idle(POLL))
        }
    }
}

impl InboxWorker {
    /// Notes how long a step took that began at `began`, and how old the deliveries are that it processed.
    fn observe(&self, began: Instant, report: &ProcessReport) {
        if report.taken == 0 {
            return;
        }
        let spans = self.metrics.spans();
        spans.processing_step.observe(began.elapsed());
        for processed in &report.processed {
            spans.processing.observe(processed.age);
        }
    }

    /// Records a span for each delivery that was processed at `at`.
    fn trace(&self, at: Time, report: &ProcessReport) {
        let committed_at = clock::now();
        for processed in &report.processed {
            self.traces
                .record(|| traced::processing(processed, at, committed_at));
        }
    }
}

/// Orders with faulty rows that the log has reported. Their callbacks may arrive for as long as Sinch likes.
static LOGGED: LazyLock<Throttle<OrderKey>> = LazyLock::new(|| Throttle::new(LOG_INTERVAL));

fn log_report(report: &ProcessReport, traces: &Traces) {
    for processed in &report.processed {
        let (project, order) = (&processed.key.project, logged_id(&processed.key));
        let (delivery, event) = (processed.delivery, redacted(&processed.dedup_key));
        let age_ms = millis(processed.age);
        let trace_id = traces.logged_id(|| traced::trace_of(processed));
        let text = processed.decision.to_string();
        let (text, decision) = (redacted(&text), processed.decision.code());
        if processed.row_at_fault {
            if let Some(left_out) = LOGGED.pass(processed.key.clone(), Instant::now().into_std()) {
                tracing::warn!(delivery, %event, %project, %order, age_ms, trace_id, decision, %text, left_out, "parked");
            }
        } else if processed.parked {
            tracing::warn!(delivery, %event, %project, %order, age_ms, trace_id, decision, %text, "parked");
        } else {
            tracing::info!(delivery, %event, %project, %order, age_ms, trace_id, decision, %text, "processed");
        }
    }
}
