//! When asking for a project's orders pauses as a whole.
//!
//! Pure. A provider in trouble, or a refused access key, is one fault and not one for each order: the
//! gate closes for all of them, opens for a single probe after a while, and fully once that succeeds.

use std::time::Duration;

use super::word::Says;
use crate::order::Time;
use crate::store::Gate;

/// Failures in a row after which it is in doubt whether the provider answers anybody: fewer can be chance.
const DOUBT: u32 = 3;

/// Failures in a row, in doubt, after which the gate closes. They are about orders that chance picks, so that a few
/// orders at the head of the line cannot close it.
const CHECKS: u32 = 6;

/// Between two probes lies this long at most, and half of it at least, unless Sinch asks for more. From the
/// first probe on: what needs an hour to mend is not mended sooner by being tried each second.
const PROBES_APART: Duration = Duration::from_secs(60);

/// What Sinch asks for is exceeded by this part of [`PROBES_APART`] at most, so that several projects do not
/// come back at the same moment.
const RETRY_JITTER: f64 = 0.1;

/// What a project's gate allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// All may ask.
    Open,
    /// One may ask at a time, to see whether there is trouble.
    Doubt,
    /// One may ask, to see whether the trouble is over.
    Probe,
    /// Nobody may ask before this time.
    Closed(Time),
}

/// The longest that any `Retry-After` is honoured.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Longer than a gate is ever closed.
const CLOSED_MAX: Duration = Duration::from_secs(3600 + 60);

/// What the gate allows.
pub(super) fn passage(gate: &Gate, now: Time) -> Passage {
    match &gate.paused {
        // Further ahead than it can be: the clock was set back since.
        Some((until, _)) if until.since(now) > CLOSED_MAX => Passage::Probe,
        Some((until, _)) if *until > now => Passage::Closed(*until),
        Some(_) => Passage::Probe,
        None if gate.failures >= DOUBT => Passage::Doubt,
        None => Passage::Open,
    }
}

/// The gate of an earlier run, at a start. `cap` as in [`after_failure`].
pub(super) fn taken_up(mut gate: Gate, now: Time, cap: Duration) -> Gate {
    if let Some((until, _)) = &mut gate.paused {
        *until = now.plus(PROBES_APART.min(cap) / 2).max(*until);
    }
    gate
}

/// The gate after a failure that is not one order's alone. `cap` is the longest that probes are to lie apart; `roll` is
/// chance, 0 to 1.
pub(super) fn after_failure(
    gate: &Gate,
    reason: &str,
    says: Says,
    now: Time,
    cap: Duration,
    roll: f64,
) -> Gate {
    let longest = PROBES_APART.min(cap);
    let asked_for = match says {
        Says::Pause(wait) => wait.map(|wait| {
            let jitter = longest.mul_f64(RETRY_JITTER * roll);
            now.plus(wait.min(RETRY_AFTER_MAX) + jitter)
        }),
        Says::PauseForOne | Says::Failure => None,
    };
    if let Passage::Closed(until) = passage(gate, now) {
        // Of a question that went out although it was closed: the same trouble, unless Sinch asks for more.
        let paused = match asked_for {
            Some(longer) if longer > until => Some((longer, reason.to_owned())),
            Some(_) | None => gate.paused.clone(),
        };
        let failures = gate.failures;
        return Gate { failures, paused };
    }
    let failures = gate.failures.saturating_add(1);
    let usual = now.plus(longest.mul_f64(0.5 + roll / 2.0));
    let until = match (&gate.paused, asked_for) {
        // Sinch knows best, until its word has proved wrong.
        (None, Some(asked_for)) => Some(asked_for),
        (Some(_), Some(asked_for)) => Some(asked_for.max(usual)),
        (Some(_), None) => Some(usual),
        (None, None) => (says != Says::Failure || failures >= DOUBT + CHECKS).then_some(usual),
    };
    let paused = until.map(|until| (until, reason.to_owned()));
    Gate { failures, paused }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(300);

    fn after(gate: &Gate, says: Says, now: Time, roll: f64) -> Gate {
        after_failure(gate, "down", says, now, CAP, roll)
    }

    fn wait(secs: u64) -> Says {
        Says::Pause(Some(Duration::from_secs(secs)))
    }

    fn secs(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    #[test]
    fn a_few_failures_may_be_chance_and_more_are_not() {
        let mut gate = Gate::default();
        for failures in 1..DOUBT + CHECKS {
            gate = after(&gate, Says::Failure, secs(0), 1.0);
            let doubt = failures >= DOUBT;
            let expected = if doubt { Passage::Doubt } else { Passage::Open };
            assert_eq!(passage(&gate, secs(0)), expected, "{failures}");
        }
        gate = after(&gate, Says::Failure, secs(0), 1.0);
        assert_eq!(passage(&gate, secs(0)), Passage::Closed(secs(60)));
        // Stragglers of the same trouble do not prolong it.
        assert_eq!(after(&gate, Says::Failure, secs(1), 1.0), gate);
        assert_eq!(passage(&gate, secs(60)), Passage::Probe);
        gate = after(&gate, Says::Failure, secs(60), 0.0);
        assert_eq!(passage(&gate, secs(60)), Passage::Closed(secs(90)));
    }

    #[test]
    fn a_request_to_wait_and_a_refused_key_close_it_at_once() {
        let open = Gate::default();
        let until = |gate: &Gate| gate.paused.as_ref().map(|(until, _)| *until);
        let refused = after(&open, Says::Pause(None), secs(0), 0.0);
        assert_eq!(until(&refused), Some(secs(30)));
        let waiting = after(&open, wait(2), secs(0), 0.0);
        assert_eq!(until(&waiting), Some(secs(2)));
        let spread = after(&open, wait(2), secs(0), 1.0);
        assert_eq!(until(&spread), Some(secs(8)));
        let absurd = after(&open, wait(u64::MAX), secs(0), 1.0);
        assert_eq!(until(&absurd), Some(secs(3606)));
        assert!(matches!(passage(&absurd, secs(0)), Passage::Closed(_)));
    }

    #[test]
    fn after_a_probe_that_failed_a_short_request_to_wait_counts_no_more() {
        let short = wait(2);
        let gate = after(&Gate::default(), short, secs(0), 0.0);
        let gate = after(&gate, short, secs(2), 0.0);
        assert_eq!(passage(&gate, secs(2)), Passage::Closed(secs(32)));
        let long = wait(500);
        let gate = after(&gate, long, secs(32), 0.0);
        assert_eq!(passage(&gate, secs(32)), Passage::Closed(secs(532)));
    }

    #[test]
    fn a_straggler_prolongs_a_pause_only_if_sinch_asks_for_more() {
        let refused = Says::Pause(None);
        let gate = after(&Gate::default(), refused, secs(0), 0.0);
        let same = after(&gate, wait(9), secs(1), 0.0);
        assert_eq!(same, gate);
        let longer = after(&gate, wait(99), secs(1), 0.0);
        assert_eq!(passage(&longer, secs(1)), Passage::Closed(secs(100)));
        assert_eq!(longer.failures, gate.failures);
    }

    #[test]
    fn probes_lie_half_a_minute_to_a_minute_apart_or_within_the_cap() {
        for (cap, least, most) in [(300, 30, 60), (10, 5, 10)] {
            let cap = Duration::from_secs(cap);
            let mut gate = after_failure(
                &Gate::default(),
                "down",
                Says::Pause(None),
                secs(0),
                cap,
                0.5,
            );
            let mut now = secs(0);
            for n in 0..50 {
                let Passage::Closed(until) = passage(&gate, now) else {
                    panic!("open after {n} probes");
                };
                let wait = until.since(now).as_secs();
                assert!((least..=most).contains(&wait), "{gate:?}");
                now = until;
                gate = after_failure(
                    &gate,
                    "down",
                    Says::Failure,
                    now,
                    cap,
                    f64::from(n % 5) / 4.0,
                );
            }
        }
    }

    #[test]
    fn a_pause_that_lies_absurdly_far_ahead_is_none() {
        let gate = Gate {
            failures: 3,
            paused: Some((secs(90_000), "down".to_owned())),
        };
        assert_eq!(passage(&gate, secs(0)), Passage::Probe);
    }
}
