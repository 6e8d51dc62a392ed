//! Spans that were not sent: counted, and told in the log now and then.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::redact::{Throttle, peer_text};

/// Minimum interval between two log lines about the same loss.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Spans that wait, and spans that were lost.
#[derive(Debug)]
pub(super) struct Losses {
    /// Number of spans that wait to be sent, those included that are being sent.
    waiting: AtomicUsize,
    waiting_max: usize,
    without_room: Loss,
    not_taken: Loss,
}

impl Losses {
    pub fn new(waiting_max: usize) -> Losses {
        Losses {
            waiting: AtomicUsize::new(0),
            waiting_max,
            without_room: Loss::new(),
            not_taken: Loss::new(),
        }
    }

    /// Returns `true` if there was room for one more span, which waits from now on. Otherwise the span is lost.
    pub fn find_room(&self) -> bool {
        let one_more = |waiting| (waiting < self.waiting_max).then_some(waiting + 1);
        let has_room = self
            .waiting
            .fetch_update(Relaxed, Relaxed, one_more)
            .is_ok();
        if !has_room && let Some(spans) = self.without_room.add(1) {
            tracing::warn!(
                spans,
                waiting = self.waiting_max,
                "spans of traces were dropped: too many wait for the collector"
            );
        }
        has_room
    }

    /// Records that spans wait no more.
    pub fn make_room(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Relaxed);
    }

    /// Records that the collector did not take spans.
    pub fn not_taken(&self, spans: usize, reason: &str) {
        if let Some(spans) = self.not_taken.add(spans as u64) {
            let reason = peer_text(reason);
            tracing::warn!(
                spans,
                reason,
                "spans of traces were dropped: the collector did not take them"
            );
        }
    }

    /// Tells what was not told yet, at the end; `is_late`: what still waits was not sent in time.
    pub fn tell_last(&self, is_late: bool) {
        let late = if is_late {
            self.waiting.load(Relaxed)
        } else {
            0
        };
        let untold = self.without_room.take() + self.not_taken.take() + late as u64;
        if untold > 0 {
            tracing::warn!(
                spans = untold,
                "spans of traces were dropped: they were not sent before the end"
            );
        }
    }
}

/// Spans that were lost for one reason.
#[derive(Debug)]
struct Loss {
    /// Number of lost spans that the log has not told.
    untold: AtomicU64,
    throttle: Throttle<()>,
}

impl Loss {
    fn new() -> Loss {
        Loss {
            untold: AtomicU64::new(0),
            throttle: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Counts lost spans, and returns how many there were since the last line of the log, if another line is due.
    fn add(&self, spans: u64) -> Option<u64> {
        self.untold.fetch_add(spans, Relaxed);
        self.throttle.pass((), Instant::now())?;
        Some(self.take())
    }

    fn take(&self) -> u64 {
        self.untold.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_spans_wait_than_there_is_room_for() {
        let losses = Losses::new(2);
        assert!(losses.find_room());
        assert!(losses.find_room());
        assert!(!losses.find_room());
        losses.make_room(2);
        assert!(losses.find_room());
    }

    #[test]
    fn what_was_lost_is_told_at_once_and_then_at_intervals() {
        let loss = Loss::new();
        assert_eq!(loss.add(3), Some(3));
        assert_eq!(loss.add(1), None);
        assert_eq!(loss.add(1), None);
        assert_eq!(loss.take(), 2);
        assert_eq!(loss.take(), 0);
    }
}
