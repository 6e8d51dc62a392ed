//! Answers to a load of callbacks, and their times.

use std::time::{Duration, Instant};

/// Answer to a callback, with its times.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Index of the callback.
    pub index: usize,
    /// HTTP status of the answer.
    pub status: u16,
    /// `true` if the answer had the header `Retry-After`.
    pub retry_after: bool,
    /// Time from the start of the load to the answer.
    pub at: Duration,
    /// Time from the callback to its answer. At a fixed rate it counts from the time at which the callback was due: the
    /// wait for a free connection is part of it.
    pub latency: Duration,
}

/// Report on a load of callbacks.
pub struct Report {
    /// Indices of the callbacks that were answered 200.
    pub acknowledged: Vec<usize>,
    /// Number of answers other than 200.
    pub refused: usize,
    /// Number of callbacks per second that were answered 200, after the warm-up.
    pub per_second: f64,
    /// All answers to the callbacks, unsorted.
    pub answers: Vec<Timed>,
    /// Time at which the load began.
    pub began: Instant,
    latencies: Vec<Duration>,
}

impl Report {
    pub(super) fn new(
        answers: Vec<Timed>,
        began: Instant,
        warm_up: Duration,
        end: Duration,
    ) -> Report {
        let good = |answer: &&Timed| answer.status == 200;
        let timed = |answer: &&Timed| (warm_up..=end).contains(&answer.at);
        let measured = answers.iter().filter(good).filter(timed);
        let mut latencies: Vec<Duration> = measured.map(|answer| answer.latency).collect();
        latencies.sort_unstable();
        let acknowledged: Vec<usize> = answers.iter().filter(good).map(|a| a.index).collect();
        let window = end.saturating_sub(warm_up).as_secs_f64();
        Report {
            refused: answers.len() - acknowledged.len(),
            per_second: latencies.len() as f64 / window.max(1e-9),
            acknowledged,
            answers,
            began,
            latencies,
        }
    }

    /// Returns the latency in milliseconds that the given share of the measured callbacks did not exceed.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        percentile_ms(&self.latencies, share)
    }
}

/// Returns the percentile of any sorted times, in milliseconds.
pub fn percentile_ms(sorted: &[Duration], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    let at = sorted.get(place.saturating_sub(1)).or(sorted.last());
    at.map_or(f64::NAN, |at| at.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(index: usize, status: u16, at_ms: u64) -> Timed {
        Timed {
            index,
            status,
            retry_after: false,
            at: Duration::from_millis(at_ms),
            latency: Duration::from_millis(at_ms / 10),
        }
    }

    #[test]
    fn only_acknowledgements_after_the_warm_up_and_before_the_end_are_measured() {
        let answers = vec![
            answer(0, 200, 500),
            answer(1, 200, 1000),
            answer(2, 503, 1500),
            answer(3, 200, 2000),
            answer(4, 200, 2500),
        ];
        let (warm_up, end) = (Duration::from_secs(1), Duration::from_secs(2));
        let report = Report::new(answers, Instant::now(), warm_up, end);
        assert_eq!(report.acknowledged, [0, 1, 3, 4]);
        assert_eq!(report.refused, 1);
        assert!((report.per_second - 2.0).abs() < 1e-9);
        assert!((report.percentile_ms(0.5) - 100.0).abs() < 1e-9);
        assert!((report.percentile_ms(0.99) - 200.0).abs() < 1e-9);
        assert!(percentile_ms(&[], 0.5).is_nan());
    }
}
