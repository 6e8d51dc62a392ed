//! Metrics of the running service: counts since its start or its last reload, times of last events, heartbeats of its workers.
//!
//! [`Metrics`] is one value that all parts share. What it counts, and the methods for that, are in a file for each subject.

mod callbacks;
mod count;
mod fetches;
mod refusals;
mod secrets;
mod spans;
mod workers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use self::callbacks::Callbacks;
pub use self::count::Count;
pub use self::fetches::ApiView;
use self::fetches::Fetches;
use self::refusals::Refusals;
pub use self::refusals::{Refusal, sender_network};
pub use self::secrets::{SecretCount, SecretView, Secrets};
pub use self::spans::{AllSpans, Spans};
pub use self::workers::Failing;
use self::workers::Workers;
use crate::redact;
use number_order::Time;

/// Minimum interval between two log lines about similar refusals of one source, or about faults of one project's
/// callbacks.
const LOGGED_EVERY: Duration = Duration::from_secs(1);

/// Metrics and heartbeats, shared by all parts of the service.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    reloaded_at: Option<Time>,
    draining: AtomicBool,
    spans: AllSpans,
    callbacks: Callbacks,
    refusals: Refusals,
    secrets: Secrets,
    fetches: Fetches,
    workers: Workers,
}

impl Metrics {
    /// Returns the metrics of a service that has just started.
    pub fn new() -> Metrics {
        Metrics {
            started: Instant::now(),
            reloaded_at: None,
            draining: AtomicBool::new(false),
            spans: AllSpans::default(),
            callbacks: Callbacks::default(),
            refusals: Refusals::default(),
            secrets: Secrets::default(),
            fetches: Fetches::default(),
            workers: Workers::default(),
        }
    }

    /// Returns metrics that take a worker for dead after `silence_max`.
    #[cfg(test)]
    pub fn impatient(silence_max: Duration) -> Metrics {
        Metrics {
            workers: Workers::judged_after(silence_max),
            ..Metrics::new()
        }
    }

    /// Returns the metrics of a service that has been running since `started` and goes on with another configuration now:
    /// all counts begin at 0.
    pub fn after_reload(started: Instant, now: Time) -> Metrics {
        Metrics {
            started,
            reloaded_at: Some(now),
            ..Metrics::new()
        }
    }

    /// Returns the time for which the service has been running, through all reloads.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the time of the last reload; `None` if there was none.
    pub fn reloaded_at(&self) -> Option<Time> {
        self.reloaded_at
    }

    /// Returns the time from which on everything is counted: that of the start, or of the last reload.
    pub fn counted_since(&self, now: Time) -> Time {
        self.reloaded_at.unwrap_or_else(|| now.minus(self.uptime()))
    }

    /// Returns the histograms of how long things take.
    pub fn spans(&self) -> &AllSpans {
        &self.spans
    }

    /// Returns what is known of the secrets of callbacks.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Notes that the service shuts down, and accepts no more callbacks.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Returns `true` if the service is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Returns the number of lines that the log had to drop since the start.
    pub fn log_lines_dropped(&self) -> u64 {
        redact::lines_dropped()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// Locks a map. A panic elsewhere cannot leave the map half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_begins_the_counts_anew_and_not_the_time_of_running() {
        let started = Instant::now();
        let metrics = Metrics::after_reload(started, Time(9));
        assert_eq!(metrics.reloaded_at(), Some(Time(9)));
        assert_eq!(metrics.counted_since(Time(20)), Time(9));
        assert!(metrics.uptime() <= started.elapsed());
        let metrics = Metrics::new();
        assert_eq!(metrics.reloaded_at(), None);
        let now = Time(60_000_000);
        assert!(metrics.counted_since(now) <= now);
    }
}
