//! Processes the inbox: every pending delivery, soon after its arrival, whether or not the API is well.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::time::Instant;

use super::frame::{LOG_INTERVAL, POLL, Pause, WakeUp, Worker};
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

/// Length of the pause after a batch, as a multiple of the time for which callbacks waited for it. In the pause the writer is
/// free for them: their senders wait, and pending deliveries can. Deliveries that gather in the pause are processed together,
/// which costs less. While none arrive there is no pause, because no callback waits.
const PAUSE_FACTOR: f64 = 6.0;

/// Share of the time that callbacks can spare, beyond which deliveries that wait have shorter pauses.
const SPARE_ENOUGH: f64 = 0.2;

/// Least length of a pause, as a multiple like [`PAUSE_FACTOR`].
const PAUSE_FACTOR_MIN: f64 = 0.25;

/// Ratios by which pauses become shorter and longer again from one batch to the next.
const PAUSE_CHANGES: (f64, f64) = (0.8, 1.2);

/// Maximum pause after a batch that a slow disk made slow, if what arrives fits into the next one.
const REST_MAX: Duration = Duration::from_millis(100);

/// Number of arrivals for each processed delivery at which the pause ends: however fast deliveries arrive, about a third of them
/// are processed in the same time, though timers are late.
const ARRIVALS_MAX: f64 = 2.8;

/// Time by which a timer may be late, and a pause longer than it should be.
const TIMER_LATE: Duration = Duration::from_millis(1);

/// Maximum number of arrivals beyond [`ARRIVALS_MAX`] that later pauses make good, after a pause that lasted too long.
const BEHIND_MAX: f64 = 1024.0;

/// Share of these that the next batch makes good by its size.
const CATCH_UP: f64 = 0.25;

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

/// Rhythm of the inbox worker: its state between two batches.
pub struct Rhythm {
    /// Time at which the last batch began.
    last: Option<Instant>,
    /// Length of pauses, as a multiple of the time for which callbacks wait for a batch.
    factor: f64,
    /// Number of deliveries that have arrived so far beyond the ratio [`ARRIVALS_MAX`].
    behind: f64,
    /// Maximum number of deliveries in the next batch; `None`: the least.
    batch_max: Option<u32>,
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
            deliveries_max: rhythm.batch_max.unwrap_or(*sizes.start()),
            now,
            policy: self.policy.clone(),
            api_off: self.api_off.clone(),
        };
        let report = self.store.process(request).await?;
        log_report(&report, &self.traces);
        self.observe(began, &report);
        self.trace(now, &report);
        let rest = rhythm.after_batch(began, &report, self.store.spare(), &sizes);
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

impl Default for Rhythm {
    fn default() -> Rhythm {
        Rhythm {
            last: None,
            factor: PAUSE_FACTOR,
            behind: 0.0,
            batch_max: None,
        }
    }
}

impl Rhythm {
    /// Records a batch of processed deliveries, and returns the pause after it. Callbacks can spare a share of `spare`.
    fn after_batch(
        &mut self,
        began: Instant,
        report: &ProcessReport,
        spare: f64,
        sizes: &RangeInclusive<u32>,
    ) -> Duration {
        // The store counts arrivals when the batch begins.
        let arrivals = self.last.replace(began).map(|at| Arrivals {
            count: report.arrived,
            within: began - at,
        });
        self.factor = next_factor(self.factor, report.more_wait, spare);
        self.behind = arrivals
            .as_ref()
            .map_or(0.0, |arrivals| arrivals.behind(self.behind, report.taken));
        let took = began.elapsed();
        let held = report.held.unwrap_or(took);
        let usual = held.mul_f64(self.factor);
        let (rest, batch_max) = next_pause_and_batch(took, usual, arrivals, self.behind, sizes);
        self.batch_max = Some(batch_max);
        rest
    }
}

/// Deliveries that arrived from one batch to the next: their number, and the time between the batches.
#[derive(Clone, Copy)]
struct Arrivals {
    count: u32,
    within: Duration,
}

impl Arrivals {
    /// Returns the number of deliveries that have arrived beyond the ratio [`ARRIVALS_MAX`], after another batch that
    /// processed `taken`.
    fn behind(&self, before: f64, taken: usize) -> f64 {
        let more = f64::from(self.count) - taken as f64 * ARRIVALS_MAX;
        (before + more).clamp(0.0, BEHIND_MAX)
    }
}

/// Returns the length of the next pause, as a multiple of the time for which callbacks wait for a batch. It becomes shorter
/// while more deliveries wait than a batch takes, and callbacks can spare enough of the time, of which `spare` is the share.
fn next_factor(before: f64, more_wait: bool, spare: f64) -> f64 {
    let (shorter, longer) = PAUSE_CHANGES;
    if more_wait && spare > SPARE_ENOUGH {
        (before * shorter).max(PAUSE_FACTOR_MIN)
    } else {
        (before * longer).min(PAUSE_FACTOR)
    }
}

/// Returns the pause after a batch that lasted `took`, which is the `usual` one or shorter, and the size of the batch after it,
/// which is one of `sizes`. `behind` is the number of arrivals beyond the ratio [`ARRIVALS_MAX`].
fn next_pause_and_batch(
    took: Duration,
    usual: Duration,
    arrivals: Option<Arrivals>,
    behind: f64,
    sizes: &RangeInclusive<u32>,
) -> (Duration, u32) {
    let Some(Arrivals { count, within }) = arrivals else {
        return (usual.min(REST_MAX), *sizes.start());
    };
    if count == 0 {
        return (Duration::ZERO, *sizes.start());
    }
    let usual = if count <= *sizes.start() {
        usual.min(REST_MAX)
    } else {
        usual
    };
    let apart = within.as_secs_f64() / f64::from(count);
    // The next batch takes its time, too: so many deliveries must be processed even without a pause, and some of those that
    // earlier batches left over.
    let arriving = (took + TIMER_LATE).as_secs_f64() / apart;
    let least = (arriving + behind * CATCH_UP) / ARRIVALS_MAX;
    let deliveries = (least as u32).clamp(*sizes.start(), *sizes.end());
    let bearable = (f64::from(deliveries) * ARRIVALS_MAX - behind).max(0.0);
    // If hardly anything arrives, the seconds may be too many for a duration.
    let until = Duration::try_from_secs_f64(apart * bearable).unwrap_or(REST_MAX);
    (usual.min(until.saturating_sub(took)), deliveries)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SIZES: RangeInclusive<u32> = 128..=512;

    fn arrivals(count: u32, within_ms: u32) -> Option<Arrivals> {
        let within = MS * within_ms;
        Some(Arrivals { count, within })
    }

    #[test]
    fn the_pause_is_as_long_as_callbacks_can_use_and_deliveries_can_bear() {
        for (took_ms, arrivals, behind, rest_ms, deliveries) in [
            (5, None, 0.0, 30, 128),
            (50, None, 0.0, 100, 128),
            // No callback waits, so the deliveries that have gathered are processed at once.
            (5, arrivals(0, 25), 0.0, 0, 128),
            (5, arrivals(1, 25), 0.0, 30, 128),
            // A batch was slow: the pause is bounded, unless more arrives than fits into the next one.
            (50, arrivals(10, 100), 0.0, 100, 128),
            (50, arrivals(130, 250), 0.0, 300, 128),
            (5, arrivals(300, 25), 0.0, 24, 128),
            // More than twice the bearable number arrived: the pause ends when the bearable number has arrived, in less
            // than half of it.
            (5, arrivals(1000, 25), 0.0, 3, 128),
            // Earlier arrivals beyond the bearable number shorten the pause.
            (5, arrivals(1000, 25), 60.0, 2, 128),
            (5, arrivals(1000, 25), 1024.0, 0, 177),
            // A pause of zero is not enough: the batch grows.
            (5, arrivals(5000, 25), 0.0, 0, 428),
            (5, arrivals(50000, 25), 0.0, 0, 512),
        ] {
            let took = MS * took_ms;
            let (rest, next) = next_pause_and_batch(took, took * 6, arrivals, behind, &SIZES);
            assert_eq!((rest.as_micros() / 1000, next), (rest_ms, deliveries));
        }
    }

    #[test]
    fn pauses_become_shorter_while_deliveries_wait_and_callbacks_can_spare_time() {
        let after = |more_wait, spare| (0..20).fold(1.0, |f, _| next_factor(f, more_wait, spare));
        assert_eq!(after(true, 0.4), PAUSE_FACTOR_MIN);
        for (more_wait, spare) in [(true, 0.1), (false, 0.4), (false, 0.1)] {
            assert_eq!(after(more_wait, spare), PAUSE_FACTOR);
        }
    }

    #[test]
    fn at_half_of_what_the_writer_can_nothing_waits_for_long() {
        // Twelve deliveries arrive in a millisecond. A batch holds the writer for 0.9 ms and 18 µs for each, and callbacks
        // can spare half of the rest.
        let (mut rhythm, mut waiting, mut within) = (Rhythm::default(), 5000, MS * 20);
        for _ in 0..500 {
            let count = (12 * within.as_micros() as u32).div_ceil(1000);
            waiting += count;
            let max = rhythm.batch_max.unwrap_or(128);
            let taken = waiting.min(max);
            waiting -= taken;
            let took = Duration::from_micros(900 + 18 * u64::from(taken));
            let spare = (1.0 - took.as_secs_f64() / within.as_secs_f64()) / 2.0;
            rhythm.factor = next_factor(rhythm.factor, taken == max, spare);
            let usual = took.mul_f64(rhythm.factor);
            let (rest, next) =
                next_pause_and_batch(took, usual, Some(Arrivals { count, within }), 0.0, &SIZES);
            rhythm.batch_max = Some(next);
            within = took + rest + MS;
        }
        assert!(waiting < 12 * 50, "{waiting} wait");
    }

    #[test]
    fn however_fast_deliveries_arrive_their_share_is_processed() {
        // Deliveries arrive at two in a millisecond, at ten, at thirty and at a hundred, with timers that are late.
        for per_ms in [2, 10, 30, 100] {
            let (took, mut cycle, mut deliveries) = (MS * 3, MS * 100, 128);
            let (mut processed, mut all, mut behind) = (0, 0, 0.0);
            for _ in 0..1000 {
                let count = (per_ms * cycle.as_micros() as u32).div_ceil(1000);
                let taken = deliveries.min(count);
                (processed, all) = (processed + taken, all + count);
                let arrivals = Arrivals {
                    count,
                    within: cycle,
                };
                behind = arrivals.behind(behind, taken as usize);
                let rest;
                (rest, deliveries) =
                    next_pause_and_batch(took, took * 6, Some(arrivals), behind, &SIZES);
                cycle = took + rest + MS;
            }
            let share = f64::from(processed) / f64::from(all);
            // A pause may end late, so a few arrivals are left over.
            assert!(
                share > 0.93 / ARRIVALS_MAX,
                "{share} of {per_ms} in a millisecond"
            );
        }
    }
}
