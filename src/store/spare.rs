//! Spare time: the share of the time for which callbacks do not need the store, so that other work may have it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of callbacks from which on a commit has no time to spare.
const CALLBACKS_MAX: usize = 8;

/// Time over which the share is averaged.
const WINDOW: Duration = Duration::from_millis(100);

/// Share of the time just past that callbacks could spare.
#[derive(Debug)]
pub(super) struct SpareTime(Mutex<Average>);

#[derive(Debug)]
struct Average {
    share: f64,
    counted_to: Instant,
    /// Number of commits under way.
    commits: u32,
}

impl SpareTime {
    pub(super) fn new(now: Instant) -> SpareTime {
        SpareTime(Mutex::new(Average {
            share: 1.0,
            counted_to: now,
            commits: 0,
        }))
    }

    /// Notes that a commit begins.
    pub(super) fn begin(&self, now: Instant) {
        let mut average = self.lock();
        average.count_idle(now);
        average.commits += 1;
    }

    /// Notes that a commit ends of which callbacks could spare this share.
    pub(super) fn end(&self, now: Instant, share: f64) {
        let mut average = self.lock();
        average.count(now, share);
        average.commits -= 1;
    }

    /// Returns the share of the time just past that callbacks could spare, from 0 to 1.
    pub(super) fn share(&self, now: Instant) -> f64 {
        let mut average = self.lock();
        average.count_idle(now);
        average.share
    }

    /// Locks the average. A panic elsewhere cannot leave it half changed.
    fn lock(&self) -> MutexGuard<'_, Average> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Average {
    /// Counts the time up to now, unless a commit is under way: nothing needed the store.
    fn count_idle(&mut self, now: Instant) {
        if self.commits == 0 {
            self.count(now, 1.0);
        }
    }

    /// Counts the time up to now, of which callbacks could spare this share.
    fn count(&mut self, now: Instant, share: f64) {
        let elapsed = now.saturating_duration_since(self.counted_to);
        let weight = elapsed.as_secs_f64() / (elapsed + WINDOW).as_secs_f64();
        self.share += (share - self.share) * weight;
        self.counted_to = self.counted_to.max(now);
    }
}

/// Returns the share of a commit's time that callbacks can spare, if so many are in it, or wait at its end. A commit of few takes
/// nearly as long as one of many: where few share one, callbacks keep the store busy only because nothing else does.
pub(super) fn beside(callbacks: usize) -> f64 {
    CALLBACKS_MAX.saturating_sub(callbacks) as f64 / CALLBACKS_MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_fewer_share_a_commit_the_more_of_its_time_can_be_spared() {
        for (callbacks, percent) in [(0, 100), (4, 50), (8, 0), (500, 0)] {
            assert_eq!((beside(callbacks) * 100.0) as u32, percent, "{callbacks}");
        }
    }

    #[test]
    fn the_share_follows_the_last_tenths_of_a_second() {
        let mut now = Instant::now();
        let spare = SpareTime::new(now);
        for (share, millis, at_least, at_most) in [
            (0.0, 10, 0.9, 0.95),
            (0.0, 500, 0.0, 0.1),
            (0.5, 500, 0.45, 0.5),
            (1.0, 500, 0.9, 1.0),
        ] {
            for _ in 0..millis / 5 {
                spare.begin(now);
                now += MS * 5;
                spare.end(now, share);
            }
            assert!(
                (at_least..=at_most).contains(&spare.share(now)),
                "{spare:?}"
            );
        }
    }

    #[test]
    fn time_without_a_commit_can_be_spared() {
        let mut now = Instant::now();
        let spare = SpareTime::new(now);
        // Commits that overlap leave no time between them.
        spare.begin(now);
        for _ in 0..100 {
            now += MS * 5;
            spare.begin(now);
            now += MS * 5;
            spare.end(now, 0.0);
        }
        assert!(spare.share(now) < 0.1, "{spare:?}");
        spare.end(now, 0.0);
        assert!(spare.share(now + MS * 900) > 0.8, "{spare:?}");
    }
}
