//! Section `[worker]`: staleness of Sinch's answers, attempts and waits of fetches, and the time for a stop.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::keys::reader::{Reader, default_of};
use crate::config::keys::values::TIMEOUT_SECS;

/// Bounds of spans of time that may be zero, in seconds.
const SPAN_SECS: RangeInclusive<f64> = 0.0..=3600.0;

/// Section `[worker]`: staleness of Sinch's answers, attempts and waits of fetches, and the time for a stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// Usual maximum staleness of an answer of Sinch.
    pub staleness: Duration,
    /// Maximum staleness of any answer of Sinch. Not less than the usual.
    pub staleness_max: Duration,
    /// Number of attempts in a row without a usable answer after which an order is parked.
    pub attempts_max: u32,
    /// Wait of an order after its first failed attempt.
    pub backoff_base: Duration,
    /// Maximum wait between two attempts to fetch an order. Not less than the wait after the first.
    pub backoff_cap: Duration,
    /// Maximum time for which a stop lets the work in flight go on.
    pub shutdown_grace: Duration,
}

impl Default for Worker {
    fn default() -> Worker {
        default_of(Worker::read)
    }
}

impl Worker {
    /// Reads the section `[worker]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Worker {
        let text = "How the service fetches the state of an order from Sinch.";
        reader.section("worker", text, read_keys)
    }
}

fn read_keys(keys: &mut Reader<'_>) -> Worker {
    let worker = Worker {
        staleness: keys
            .doc(
                "Usual upper bound of how stale an answer of the API is: the claim of an event \
                 waits for this long for an answer that must include it.",
            )
            .seconds("staleness_secs", 15.0, SPAN_SECS),
        staleness_max: keys
            .doc(
                "Worst case, by which two states with the same update time are told apart. Not \
                 below staleness_secs.",
            )
            .seconds("staleness_max_secs", 300.0, SPAN_SECS),
        attempts_max: keys
            .doc(
                "Attempts in a row without a usable answer before the order is parked for an \
                 operator.",
            )
            .whole("attempts_max", 30, 1..=1000),
        backoff_base: keys
            .doc(
                "Wait after the first such attempt, doubled with each further one up to \
                 backoff_cap_secs.",
            )
            .seconds("backoff_base_secs", 1.0, TIMEOUT_SECS),
        backoff_cap: keys
            .doc("Longest such wait. Not below backoff_base_secs.")
            .seconds("backoff_cap_secs", 300.0, 0.01..=86_400.0),
        shutdown_grace: keys
            .doc("Time to finish what is in flight at a stop; less than what Docker waits (10 s).")
            .seconds("shutdown_grace_secs", 8.0, SPAN_SECS),
    };
    keys.not_below(
        ("backoff_cap_secs", worker.backoff_cap.as_secs_f64()),
        ("backoff_base_secs", worker.backoff_base.as_secs_f64()),
    );
    keys.not_below(
        ("staleness_max_secs", worker.staleness_max.as_secs_f64()),
        ("staleness_secs", worker.staleness.as_secs_f64()),
    );
    worker
}
