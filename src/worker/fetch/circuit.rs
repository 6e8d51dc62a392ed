//! Circuit of a project's fetches: its states, and the failures that open it.
//!
//! Pure. A provider in trouble, or a refused access key, is one fault and not one for each order. So the circuit opens
//! for all orders, is half-open for a single probe after a while, and closes once that probe succeeds.

use std::time::Duration;

use super::signal::Signal;
use crate::store::Circuit;
use number_order::{NoAnswer, Time};

/// Number of a project's failures in a row after which it is in doubt whether the provider answers any order. Fewer can
/// be chance.
const SUSPECT_FAILURES: u32 = 3;

/// Number of failures in a row after which the circuit opens, if it is in doubt whether the provider answers any order.
/// The orders that are fetched in doubt are picked at random, so that a few orders at the head of the line cannot open
/// it. Each order that fails alone makes one more necessary, since the fetches may have picked only such orders by
/// chance.
const CHECK_FAILURES: u32 = 6;

/// Maximum number of failures in a row that open the circuit, however many orders fail alone. Where half of the orders
/// fail alone, that many in a row are chance less than once in a hundred million times.
const FAILURES_MAX: u32 = 27;

/// Maximum interval between two probes, unless Sinch asks for more. The minimum is half of it. The interval holds from
/// the first probe on: a fault that lasts for an hour does not end sooner with a probe each second.
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// Maximum part of [`PROBE_INTERVAL_MAX`] that is added to the wait that Sinch asks for, so that several projects do
/// not come back at the same moment.
const RETRY_JITTER: f64 = 0.1;

/// State of a project's circuit at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CircuitState {
    /// All orders may be fetched.
    Closed,
    /// One order may be fetched at a time, to see if the provider answers any order.
    Suspect,
    /// One order may be fetched as a probe, to see if the provider answers again.
    HalfOpen,
    /// No order may be fetched before the given time.
    Open(Time),
}

/// Maximum `Retry-After` that the circuit waits for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Upper bound of the time for which a circuit is ever open.
const OPEN_MAX: Duration = Duration::from_secs(3600 + 60);

/// Returns the state of the circuit at `now`.
pub(super) fn state_at(circuit: &Circuit, now: Time) -> CircuitState {
    match &circuit.paused {
        // The time lies further ahead than the circuit can be open: the clock was set back since.
        Some((until, _)) if until.since(now) > OPEN_MAX => CircuitState::HalfOpen,
        Some((until, _)) if *until > now => CircuitState::Open(*until),
        Some(_) => CircuitState::HalfOpen,
        None if circuit.failures >= SUSPECT_FAILURES => CircuitState::Suspect,
        None => CircuitState::Closed,
    }
}

/// Returns the circuit of an earlier run as it holds at a start. `cap` has the meaning that it has in
/// [`after_failure`].
pub(super) fn restored(mut circuit: Circuit, now: Time, cap: Duration) -> Circuit {
    if let Some((until, _)) = &mut circuit.paused {
        *until = now.plus(PROBE_INTERVAL_MAX.min(cap) / 2).max(*until);
    }
    circuit
}

/// Returns a project's circuit after a failure that is not one order's alone. `alone` is the number of orders that fail
/// while others are answered; `cap` is the maximum interval between probes; `jitter` is random, from 0 to 1.
pub(super) fn after_failure(
    circuit: &Circuit,
    reason: &NoAnswer,
    signal: Signal,
    alone: u32,
    now: Time,
    cap: Duration,
    jitter: f64,
) -> Circuit {
    let longest = PROBE_INTERVAL_MAX.min(cap);
    let asked_for = match signal {
        Signal::Pause(wait) => wait.map(|wait| {
            let jitter = longest.mul_f64(RETRY_JITTER * jitter);
            now.plus(wait.min(RETRY_AFTER_MAX) + jitter)
        }),
        Signal::PauseForOne | Signal::Failure => None,
    };
    if let CircuitState::Open(until) = state_at(circuit, now) {
        // The fetch was in flight when the circuit opened. Its failure has the same cause as those before, unless Sinch
        // asks for a longer wait.
        let paused = match asked_for {
            Some(longer) if longer > until => Some((longer, reason.clone())),
            Some(_) | None => circuit.paused.clone(),
        };
        return Circuit {
            paused,
            ..circuit.clone()
        };
    }
    let failures = circuit.failures.saturating_add(1);
    let needed = (SUSPECT_FAILURES + CHECK_FAILURES + alone).min(FAILURES_MAX);
    let usual = now.plus(longest.mul_f64(0.5 + jitter / 2.0));
    let until = match (&circuit.paused, asked_for) {
        // The circuit is open for as long as Sinch asks, until a probe after that time fails.
        (None, Some(asked_for)) => Some(asked_for),
        (Some(_), Some(asked_for)) => Some(asked_for.max(usual)),
        (Some(_), None) => Some(usual),
        (None, None) => (signal != Signal::Failure || failures >= needed).then_some(usual),
    };
    Circuit {
        failures,
        paused: until.map(|until| (until, reason.clone())),
        paused_since: until.map(|_| circuit.paused_since.unwrap_or(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::Endpoint;

    const CAP: Duration = Duration::from_secs(300);

    const DOWN: NoAnswer = NoAnswer::TimedOut {
        endpoint: Endpoint::Orders,
    };

    fn after(circuit: &Circuit, signal: Signal, now: Time, jitter: f64) -> Circuit {
        after_failure(circuit, &DOWN, signal, 0, now, CAP, jitter)
    }

    fn pause(secs: u64) -> Signal {
        Signal::Pause(Some(Duration::from_secs(secs)))
    }

    fn secs(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    #[test]
    fn a_few_failures_may_be_chance_and_more_are_not() {
        let mut circuit = Circuit::default();
        for failures in 1..SUSPECT_FAILURES + CHECK_FAILURES {
            circuit = after(&circuit, Signal::Failure, secs(0), 1.0);
            let doubt = failures >= SUSPECT_FAILURES;
            let expected = if doubt {
                CircuitState::Suspect
            } else {
                CircuitState::Closed
            };
            assert_eq!(state_at(&circuit, secs(0)), expected, "{failures}");
        }
        circuit = after(&circuit, Signal::Failure, secs(0), 1.0);
        assert_eq!(state_at(&circuit, secs(0)), CircuitState::Open(secs(60)));
        // Fetches that were in flight when the circuit opened do not prolong it.
        assert_eq!(after(&circuit, Signal::Failure, secs(1), 1.0), circuit);
        assert_eq!(state_at(&circuit, secs(60)), CircuitState::HalfOpen);
        assert_eq!(circuit.paused_since, Some(secs(0)));
        circuit = after(&circuit, Signal::Failure, secs(60), 0.0);
        assert_eq!(state_at(&circuit, secs(60)), CircuitState::Open(secs(90)));
        assert_eq!(
            circuit.paused_since,
            Some(secs(0)),
            "a probe that fails does not open it anew"
        );
    }

    #[test]
    fn the_more_orders_fail_alone_the_more_failures_may_be_chance() {
        for (alone, needed) in [(0, 9), (1, 10), (17, 26), (18, 27), (256, 27)] {
            let mut circuit = Circuit::default();
            for failures in 0..needed {
                assert_eq!(circuit.paused, None, "{alone}: {failures}");
                let signal = Signal::Failure;
                circuit = after_failure(&circuit, &DOWN, signal, alone, secs(0), CAP, 0.0);
            }
            assert!(circuit.paused.is_some(), "{alone}");
        }
    }

    #[test]
    fn a_request_to_wait_and_a_refused_key_open_it_at_once() {
        let closed = Circuit::default();
        let until = |circuit: &Circuit| circuit.paused.as_ref().map(|(until, _)| *until);
        let refused = after(&closed, Signal::Pause(None), secs(0), 0.0);
        assert_eq!(until(&refused), Some(secs(30)));
        let waiting = after(&closed, pause(2), secs(0), 0.0);
        assert_eq!(until(&waiting), Some(secs(2)));
        let spread = after(&closed, pause(2), secs(0), 1.0);
        assert_eq!(until(&spread), Some(secs(8)));
        let absurd = after(&closed, pause(u64::MAX), secs(0), 1.0);
        assert_eq!(until(&absurd), Some(secs(3606)));
        assert!(matches!(state_at(&absurd, secs(0)), CircuitState::Open(_)));
    }

    #[test]
    fn after_a_probe_that_failed_a_short_request_to_wait_counts_no_more() {
        let short = pause(2);
        let circuit = after(&Circuit::default(), short, secs(0), 0.0);
        let circuit = after(&circuit, short, secs(2), 0.0);
        assert_eq!(state_at(&circuit, secs(2)), CircuitState::Open(secs(32)));
        let long = pause(500);
        let circuit = after(&circuit, long, secs(32), 0.0);
        assert_eq!(state_at(&circuit, secs(32)), CircuitState::Open(secs(532)));
    }

    #[test]
    fn a_straggler_prolongs_a_pause_only_if_sinch_asks_for_more() {
        let refused = Signal::Pause(None);
        let circuit = after(&Circuit::default(), refused, secs(0), 0.0);
        let same = after(&circuit, pause(9), secs(1), 0.0);
        assert_eq!(same, circuit);
        let longer = after(&circuit, pause(99), secs(1), 0.0);
        assert_eq!(state_at(&longer, secs(1)), CircuitState::Open(secs(100)));
        assert_eq!(longer.failures, circuit.failures);
    }

    #[test]
    fn probes_lie_half_a_minute_to_a_minute_apart_or_within_the_cap() {
        for (cap, least, most) in [(300, 30, 60), (10, 5, 10)] {
            let cap = Duration::from_secs(cap);
            let mut circuit = after_failure(
                &Circuit::default(),
                &DOWN,
                Signal::Pause(None),
                0,
                secs(0),
                cap,
                0.5,
            );
            let mut now = secs(0);
            for n in 0..50 {
                let CircuitState::Open(until) = state_at(&circuit, now) else {
                    panic!("open after {n} probes");
                };
                let wait = until.since(now).as_secs();
                assert!((least..=most).contains(&wait), "{circuit:?}");
                now = until;
                circuit = after_failure(
                    &circuit,
                    &DOWN,
                    Signal::Failure,
                    0,
                    now,
                    cap,
                    f64::from(n % 5) / 4.0,
                );
            }
        }
    }

    #[test]
    fn a_pause_that_lies_absurdly_far_ahead_is_none() {
        let circuit = Circuit {
            failures: 3,
            paused: Some((secs(90_000), DOWN)),
            paused_since: Some(secs(0)),
        };
        assert_eq!(state_at(&circuit, secs(0)), CircuitState::HalfOpen);
    }
}
