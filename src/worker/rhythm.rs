//! Rhythm of the inbox worker: for how long it leaves the store to callbacks after a batch, and how large the next one is. Pure.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::ProcessReport;

/// Greatest length of the pause after a batch, as a multiple of the time for which callbacks waited for it. In the pause the
/// writer is free for them: their senders wait, and pending deliveries can. Deliveries that gather in the pause are processed
/// together, which costs less. While none arrive there is no pause, because no callback waits.
const PAUSE_FACTOR: f64 = 6.0;

/// The same where callbacks can spare time: batches are smaller, so that a callback that meets one waits for less long.
const PAUSE_FACTOR_SPARE: f64 = 2.0;

/// The least, while more deliveries wait than a batch takes.
const PAUSE_FACTOR_MIN: f64 = 0.25;

/// Share of the time that callbacks can spare, beyond which pauses are shorter.
const SPARE_ENOUGH: f64 = 0.2;

/// Ratios by which pauses become shorter and longer again from one batch to the next.
const PAUSE_CHANGES: (f64, f64) = (0.8, 1.2);

/// Maximum pause after a batch that a slow disk made slow, if what arrives fits into the next one.
const REST_MAX: Duration = Duration::from_millis(100);

/// Number of arrivals for each processed delivery at which the pause ends: however fast deliveries arrive, about a third of them
/// are processed in the same time, though timers are late.
const ARRIVALS_MAX: f64 = 3.1;

/// Time by which a timer may be late, and a pause longer than it should be.
const TIMER_LATE: Duration = Duration::from_millis(1);

/// Maximum number of arrivals beyond [`ARRIVALS_MAX`] that later pauses make good, after a pause that lasted too long.
const BEHIND_MAX: f64 = 1024.0;

/// Share of these that the next batch makes good by its size.
const CATCH_UP: f64 = 0.25;

/// Factor by which earlier arrivals count less from one batch to the next.
const RECENT_DECAY: f64 = 0.5;

/// Rhythm of the inbox worker: its state between two batches.
pub struct Rhythm {
    /// Time at which the last batch began.
    last: Option<Instant>,
    /// Length of pauses, as a multiple of the time for which callbacks wait for a batch.
    factor: f64,
    recent: Recent,
    /// Number of deliveries that have arrived so far beyond the ratio [`ARRIVALS_MAX`].
    behind: f64,
    /// Maximum number of deliveries in the next batch; `None`: the least.
    batch_max: Option<u32>,
}

impl Default for Rhythm {
    fn default() -> Rhythm {
        Rhythm {
            last: None,
            factor: PAUSE_FACTOR,
            recent: Recent::default(),
            behind: 0.0,
            batch_max: None,
        }
    }
}

impl Rhythm {
    /// Returns the maximum number of deliveries in the next batch.
    pub(super) fn batch_max(&self, sizes: &RangeInclusive<u32>) -> u32 {
        self.batch_max.unwrap_or(*sizes.start())
    }

    /// Records a batch of processed deliveries that lasted `took`, and returns the pause after it. `spare` is the share of the time
    /// that callbacks can spare.
    pub(super) fn after_batch(
        &mut self,
        began: Instant,
        took: Duration,
        report: &ProcessReport,
        spare: f64,
        sizes: &RangeInclusive<u32>,
    ) -> Duration {
        self.factor = next_factor(self.factor, report.more_wait, spare);
        if report.taken == 0 {
            // Nothing waits, so the time without arrivals says nothing of how fast the next ones come.
            let factor = self.factor;
            *self = Rhythm {
                factor,
                ..Rhythm::default()
            };
            return Duration::ZERO;
        }
        let arrivals = self.last.replace(began).map(|at| {
            self.behind = behind(self.behind, report.arrived, report.taken);
            self.recent.add(report.arrived, began - at)
        });
        let held = report.held.unwrap_or(took);
        let usual = held.mul_f64(self.factor);
        let (rest, batch_max) = next_pause_and_batch(took, usual, arrivals, self.behind, sizes);
        self.batch_max = Some(batch_max);
        rest
    }
}

/// Deliveries that arrived lately: a decayed number, and time in seconds.
#[derive(Default)]
struct Recent {
    count: f64,
    secs: f64,
}

/// Deliveries that arrived from one batch to the next.
#[derive(Clone, Copy)]
struct Arrivals {
    count: u32,
    /// Time from one arrival to the next in seconds, over the last batches: callers who wait for a batch make pairs of one that
    /// sees hardly any arrival, and one that sees many.
    apart: f64,
}

impl Recent {
    /// Adds the number that arrived from one batch to the next, and the time between these.
    fn add(&mut self, count: u32, within: Duration) -> Arrivals {
        self.count = self.count * RECENT_DECAY + f64::from(count);
        self.secs = self.secs * RECENT_DECAY + within.as_secs_f64();
        let apart = self.secs / self.count;
        Arrivals { count, apart }
    }
}

/// Returns the number of deliveries that have arrived beyond the ratio [`ARRIVALS_MAX`], after another `arrived` and a batch that
/// processed `taken`.
fn behind(before: f64, arrived: u32, taken: usize) -> f64 {
    let more = f64::from(arrived) - taken as f64 * ARRIVALS_MAX;
    (before + more).clamp(0.0, BEHIND_MAX)
}

/// Returns the length of the next pause, as a multiple of the time for which callbacks wait for a batch. It becomes shorter
/// where callbacks can spare enough of the time, of which `spare` is the share, and the more so while more deliveries wait than
/// a batch takes.
fn next_factor(before: f64, more_wait: bool, spare: f64) -> f64 {
    let (shorter, longer) = PAUSE_CHANGES;
    let wanted = match (spare > SPARE_ENOUGH, more_wait) {
        (false, _) => PAUSE_FACTOR,
        (true, false) => PAUSE_FACTOR_SPARE,
        (true, true) => PAUSE_FACTOR_MIN,
    };
    wanted.clamp(before * shorter, before * longer)
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
    let Some(Arrivals { count, apart }) = arrivals else {
        return (usual.min(REST_MAX), *sizes.start());
    };
    let usual = if count <= *sizes.start() {
        usual.min(REST_MAX)
    } else {
        usual
    };
    // The next batch takes its time, too: so many deliveries must be processed even without a pause, and some of those that
    // earlier batches left over.
    let arriving = (took + TIMER_LATE).as_secs_f64() / apart;
    let least = (arriving + behind * CATCH_UP) / ARRIVALS_MAX;
    let deliveries = (least as u32).clamp(*sizes.start(), *sizes.end());
    if count == 0 {
        return (Duration::ZERO, deliveries);
    }
    let bearable = (f64::from(deliveries) * ARRIVALS_MAX - behind).max(0.0);
    // If hardly anything arrives, the seconds may be too many for a duration.
    let until = Duration::try_from_secs_f64(apart * bearable).unwrap_or(REST_MAX);
    (usual.min(until.saturating_sub(took)), deliveries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SIZES: RangeInclusive<u32> = 128..=512;

    fn arrivals(count: u32, within_ms: u32) -> Option<Arrivals> {
        Some(Recent::default().add(count, MS * within_ms))
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
            (5, arrivals(300, 25), 0.0, 28, 128),
            // More than twice the bearable number arrived: the pause ends when the bearable number has arrived, in less
            // than half of it.
            (5, arrivals(1000, 25), 0.0, 4, 128),
            // Earlier arrivals beyond the bearable number shorten the pause.
            (5, arrivals(1000, 25), 60.0, 3, 128),
            (5, arrivals(1000, 25), 1024.0, 0, 160),
            // A pause of zero is not enough: the batch grows.
            (5, arrivals(5000, 25), 0.0, 0, 387),
            (5, arrivals(50000, 25), 0.0, 0, 512),
        ] {
            let took = MS * took_ms;
            let (rest, next) = next_pause_and_batch(took, took * 6, arrivals, behind, &SIZES);
            assert_eq!((rest.as_micros() / 1000, next), (rest_ms, deliveries));
        }
    }

    #[test]
    fn pauses_become_shorter_while_deliveries_wait_and_callbacks_can_spare_time() {
        for (more_wait, spare, factor) in [
            (true, 0.4, PAUSE_FACTOR_MIN),
            (false, 0.4, PAUSE_FACTOR_SPARE),
            (true, 0.1, PAUSE_FACTOR),
            (false, 0.1, PAUSE_FACTOR),
        ] {
            let after = (0..20).fold(1.0, |before, _| next_factor(before, more_wait, spare));
            let off = (after - factor).abs();
            assert!(off < 1e-9, "{more_wait}, {spare}: {after}");
        }
    }

    #[test]
    fn only_the_time_for_which_callbacks_waited_makes_the_pause_longer() {
        let report = ProcessReport {
            taken: 1,
            held: Some(MS),
            ..ProcessReport::default()
        };
        let rest = Rhythm::default().after_batch(Instant::now(), MS * 5, &report, 0.0, &SIZES);
        assert_eq!(rest, MS * 6);
    }

    #[test]
    fn callers_who_wait_for_a_batch_do_not_make_the_next_pause_long() {
        let mut recent = Recent::default();
        recent.add(600, MS * 30);
        let arrivals = Some(recent.add(4, MS * 15));
        let (rest, _) = next_pause_and_batch(MS * 13, MS * 78, arrivals, 0.0, &SIZES);
        assert!(rest < MS * 30, "{rest:?}");
    }

    #[test]
    fn at_half_of_what_the_writer_can_nothing_waits_for_long() {
        // Twelve deliveries arrive in a millisecond. A batch holds the writer for 0.9 ms and 18 µs for each, and callbacks
        // can spare half of the rest.
        let (mut rhythm, mut waiting, mut now) = (Rhythm::default(), 5000, Instant::now());
        let mut within = MS * 20;
        for _ in 0..500 {
            let arrived = (12 * within.as_micros() as u32).div_ceil(1000);
            waiting += arrived;
            let max = rhythm.batch_max(&SIZES);
            let taken = waiting.min(max);
            waiting -= taken;
            let held = Duration::from_micros(900 + 18 * u64::from(taken));
            let report = ProcessReport {
                taken: taken as usize,
                held: Some(held),
                more_wait: taken == max,
                arrived,
                ..ProcessReport::default()
            };
            let spare = (1.0 - held.as_secs_f64() / within.as_secs_f64()) / 2.0;
            // As much again is done beside the writer.
            let rest = rhythm.after_batch(now, held * 2, &report, spare, &SIZES);
            within = held * 2 + rest + MS;
            now += within;
        }
        assert!(waiting < 12 * 50, "{waiting} wait");
    }

    #[test]
    fn however_fast_deliveries_arrive_their_share_is_processed() {
        // Deliveries arrive at two in a millisecond, at ten, at thirty and at a hundred, with timers that are late.
        for per_ms in [2, 10, 30, 100] {
            let (took, mut cycle, mut deliveries) = (MS * 3, MS * 100, 128);
            let (mut processed, mut all, mut left_over) = (0, 0, 0.0);
            for _ in 0..1000 {
                let count = (per_ms * cycle.as_micros() as u32).div_ceil(1000);
                let taken = deliveries.min(count);
                (processed, all) = (processed + taken, all + count);
                let arrivals = Recent::default().add(count, cycle);
                left_over = behind(left_over, count, taken as usize);
                let rest;
                (rest, deliveries) =
                    next_pause_and_batch(took, took * 6, Some(arrivals), left_over, &SIZES);
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
