//! Batches of callbacks that are being committed: for how long the next one gathers, and how much time they can spare.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::store::spare::{self, SpareTime};

/// Time for which a batch gathers at least while another is under way. On a fast disk that one has ended by then.
const GATHER_MIN: Duration = Duration::from_millis(4);

/// Time beyond twice the usual that one batch counts for at most.
const USUAL_MORE: Duration = Duration::from_millis(1);

/// Batches of a replica that are under way.
pub(super) struct UnderWay {
    batches: Mutex<Batches>,
    spare: SpareTime,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Batches {
    count: u32,
    /// Time at which the last of them began; `None`: there is none.
    began: Option<Instant>,
    /// Time that a batch takes, over the last ones.
    usual: Duration,
}

impl UnderWay {
    pub(super) fn new(now: Instant) -> UnderWay {
        UnderWay {
            batches: Mutex::default(),
            spare: SpareTime::new(now.into_std()),
            ended: Notify::new(),
        }
    }

    /// Waits while the next batch gathers: if another one is under way, until it has ended or half of its usual time has
    /// passed. Returns `false` if there was nothing to wait for.
    pub(super) async fn gathered(&self) -> bool {
        let ended = self.ended.notified();
        let Some(until) = self.lock().gather_until(Instant::now()) else {
            return false;
        };
        tokio::select! {
            () = sleep_until(until) => {}
            () = ended => {}
        }
        true
    }

    pub(super) fn begin(&self, now: Instant) {
        self.lock().begin(now);
        self.spare.begin(now.into_std());
    }

    /// Ends a batch of this many callbacks.
    pub(super) fn end(&self, began: Instant, now: Instant, callbacks: usize) {
        self.lock().end(now - began);
        self.spare.end(now.into_std(), spare::beside(callbacks));
        self.ended.notify_waiters();
    }

    /// Returns the share of the time just past that callbacks could spare, if so many replicas run. A replica does not see how
    /// busy the others keep the server: as busy as it does itself, since a balancer spreads the callbacks.
    pub(super) fn spare(&self, now: Instant, replicas: u32) -> f64 {
        let needed = 1.0 - self.spare.share(now.into_std());
        (1.0 - needed * f64::from(replicas)).max(0.0)
    }

    /// Locks the batches. A panic elsewhere cannot leave them half changed.
    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batches {
    /// Returns the time until which the next batch gathers, if another one is under way.
    fn gather_until(&self, now: Instant) -> Option<Instant> {
        let until = self.began? + GATHER_MIN.max(self.usual / 2);
        (until > now).then_some(until)
    }

    fn begin(&mut self, now: Instant) {
        self.count += 1;
        self.began = Some(now);
    }

    fn end(&mut self, took: Duration) {
        self.count -= 1;
        if self.count == 0 {
            self.began = None;
        }
        // One slow batch, as after a connection that was lost, must not make the next ones wait.
        self.usual = (self.usual * 7 + took.min(self.usual * 2 + USUAL_MORE)) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_batch_gathers_while_another_one_is_under_way() {
        let now = Instant::now();
        for (began, usual_ms, gathers_until) in [
            (None, 20, None),
            (Some(now), 20, Some(now + MS * 10)),
            (Some(now - MS * 4), 20, Some(now + MS * 6)),
            (Some(now - MS * 10), 20, None),
            // On a fast disk it gathers until the other has ended.
            (Some(now), 1, Some(now + MS * 4)),
            (Some(now - MS), 1, Some(now + MS * 3)),
        ] {
            let batches = Batches {
                began,
                usual: MS * usual_ms,
                ..Batches::default()
            };
            assert_eq!(batches.gather_until(now), gathers_until, "{usual_ms}");
        }
    }

    #[test]
    fn one_slow_batch_makes_the_next_ones_gather_hardly_longer() {
        let now = Instant::now();
        let mut batches = Batches::default();
        let mut lasting = |time| {
            batches.begin(now);
            batches.end(time);
            (batches.usual, batches.began)
        };
        for _ in 0..100 {
            lasting(MS * 4);
        }
        let (usual, _) = lasting(MS * 4);
        let (after, began) = lasting(MS * 3000);
        assert!(after < usual * 5 / 4 && began.is_none());
    }

    #[test]
    fn time_without_a_batch_and_of_small_ones_can_be_spared() {
        let mut now = Instant::now();
        let under_way = UnderWay::new(now);
        let mut batches = |callbacks, apart_ms: u32| {
            for _ in 0..200 {
                under_way.begin(now);
                under_way.end(now, now + MS * 4, callbacks);
                now += MS * (4 + apart_ms);
            }
            [1, 3].map(|replicas| under_way.spare(now, replicas))
        };
        for (callbacks, apart_ms, alone, among_three) in [
            (64, 0, 0.0..0.05, 0.0..0.01),
            (64, 4, 0.4..0.6, 0.0..0.01),
            (64, 36, 0.85..0.95, 0.55..0.85),
            (1, 0, 0.8..0.9, 0.5..0.7),
        ] {
            let spare = batches(callbacks, apart_ms);
            assert!(
                alone.contains(&spare[0]) && among_three.contains(&spare[1]),
                "{callbacks}, {apart_ms}: {spare:?}"
            );
        }
    }
}
