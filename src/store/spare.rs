//! Spare time: the share of the time for which callbacks do not need the store, so that other work may have it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of callbacks that share a commit where all of its time is needed.
const SHARED_BY: usize = 8;

/// Time over which the share is averaged.
const WINDOW: Duration = Duration::from_millis(100);

/// Share of the last time that callbacks could spare.
#[derive(Debug)]
pub(super) struct SpareTime(Mutex<Average>);

#[derive(Debug)]
struct Average {
    share: f64,
    counted_to: Instant,
}

impl SpareTime {
    pub(super) fn new(now: Instant) -> SpareTime {
        SpareTime(Mutex::new(Average {
            share: 1.0,
            counted_to: now,
        }))
    }

    /// Counts the time since the last call, of which callbacks could spare this share.
    pub(super) fn count(&self, now: Instant, share: f64) {
        let mut average = self.lock();
        let elapsed = now.saturating_duration_since(average.counted_to);
        let weight = elapsed.as_secs_f64() / (elapsed + WINDOW).as_secs_f64();
        average.share += (share - average.share) * weight;
        average.counted_to = now;
    }

    /// Returns the share of the last time that callbacks could spare, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.lock().share
    }

    /// Locks the average. A panic elsewhere cannot leave it half changed.
    fn lock(&self) -> MutexGuard<'_, Average> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the share of a commit's time that its callbacks can spare. A commit of few takes nearly as long as one of many: where
/// few share one, callbacks keep the store busy only because nothing else does.
pub(super) fn of_commit(callbacks: usize) -> f64 {
    SHARED_BY.saturating_sub(callbacks) as f64 / SHARED_BY as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_share_a_commit_the_more_of_its_time_can_be_spared() {
        for (callbacks, share) in [(1, 0.875), (4, 0.5), (8, 0.0), (500, 0.0)] {
            assert_eq!(of_commit(callbacks), share);
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
                now += Duration::from_millis(5);
                spare.count(now, share);
            }
            assert!((at_least..=at_most).contains(&spare.share()), "{spare:?}");
        }
    }
}
