//! When asking for a project's orders pauses as a whole.
//!
//! Pure. A provider in trouble, or a refused access key, is one fault and not one for each order: the
//! gate closes for all of them, opens for a single probe after a while, and fully once that succeeds.

use std::time::Duration;

use crate::order::{BackOff, Time};
use crate::store::Gate;

/// Failures in a row after which the gate closes, where nobody asked for a pause: fewer can be chance.
const FAILURES_MAX: u32 = 3;

/// How the probes of a closed gate are spaced.
fn probes(cap: Duration) -> BackOff {
    BackOff {
        base: Duration::from_secs(1),
        cap: cap.min(Duration::from_secs(60)),
        attempts_max: u32::MAX,
    }
}

/// What a project's gate allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// All may ask.
    Open,
    /// One may ask, to see whether the trouble is over.
    Probe,
    /// Nobody may ask before this time.
    Closed(Time),
}

/// The longest that a gate is ever closed: an hour of `Retry-After` and the wait of a probe.
const CLOSED_MAX: Duration = Duration::from_secs(3660);

/// What the gate allows.
pub(super) fn passage(gate: &Gate, now: Time) -> Passage {
    match &gate.paused {
        // Further ahead than it can be: the clock was set back since.
        Some((until, _)) if until.since(now) > CLOSED_MAX => Passage::Probe,
        Some((until, _)) if *until > now => Passage::Closed(*until),
        Some(_) => Passage::Probe,
        None => Passage::Open,
    }
}

/// A failure that is not one order's.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// In words.
    pub reason: String,
    /// How long Sinch asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the access key was refused.
    pub refused: bool,
}

/// The gate after a failure of the provider. Failures of questions that were under way when it closed
/// change nothing: they are the same trouble.
pub(super) fn after_trouble(
    gate: &Gate,
    trouble: &Trouble,
    now: Time,
    cap: Duration,
    roll: f64,
) -> Gate {
    if let Passage::Closed(_) = passage(gate, now) {
        return gate.clone();
    }
    let failures = gate.failures.saturating_add(1);
    let at_once = trouble.refused || trouble.retry_after.is_some();
    let paused = (at_once || gate.paused.is_some() || failures >= FAILURES_MAX).then(|| {
        let wait_min = trouble.retry_after.unwrap_or(Duration::ZERO);
        // Half of the jitter is enough to keep several projects apart, and no probe comes at once.
        let wait = probes(cap).wait(failures, wait_min, 0.5 + roll / 2.0);
        (now.plus(wait), trouble.reason.clone())
    });
    Gate { failures, paused }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(60);

    fn trouble(retry_after: Option<u64>, refused: bool) -> Trouble {
        Trouble {
            reason: "down".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
            refused,
        }
    }

    fn secs(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    #[test]
    fn a_few_failures_may_be_chance_and_more_are_not() {
        let mut gate = Gate::default();
        for _ in 1..FAILURES_MAX {
            gate = after_trouble(&gate, &trouble(None, false), secs(0), CAP, 1.0);
            assert_eq!(passage(&gate, secs(0)), Passage::Open);
        }
        gate = after_trouble(&gate, &trouble(None, false), secs(0), CAP, 1.0);
        assert_eq!(passage(&gate, secs(0)), Passage::Closed(secs(4)));
        // Stragglers of the same trouble do not prolong it.
        assert_eq!(
            after_trouble(&gate, &trouble(None, false), secs(1), CAP, 1.0),
            gate
        );
        assert_eq!(passage(&gate, secs(4)), Passage::Probe);
        gate = after_trouble(&gate, &trouble(None, false), secs(4), CAP, 1.0);
        assert_eq!(passage(&gate, secs(4)), Passage::Closed(secs(12)));
    }

    #[test]
    fn a_request_to_wait_and_a_refused_key_close_it_at_once() {
        let waiting = after_trouble(
            &Gate::default(),
            &trouble(Some(30), false),
            secs(0),
            CAP,
            0.0,
        );
        assert!(matches!(passage(&waiting, secs(29)), Passage::Closed(_)));
        let refused = after_trouble(&Gate::default(), &trouble(None, true), secs(0), CAP, 0.0);
        assert!(matches!(passage(&refused, secs(0)), Passage::Closed(_)));
    }

    #[test]
    fn probes_are_never_further_apart_than_the_cap() {
        let mut gate = Gate::default();
        let mut now = secs(0);
        for _ in 0..50 {
            gate = after_trouble(&gate, &trouble(None, false), now, CAP, 1.0);
            if let Passage::Closed(until) = passage(&gate, now) {
                assert!(until.since(now) <= CAP, "{gate:?}");
                now = until;
            }
        }
    }
}
