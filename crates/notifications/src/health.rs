//! Health of a target: when its circuit opens, and for how long.

use std::time::Duration;

use number_order::Time;

/// Number of failures in a row at which a target's circuit opens.
const FAILURES_MAX: u32 = 5;

/// Time for which the circuit is open at first. It doubles with each further failure.
const PAUSE_MIN: Duration = Duration::from_secs(15);

/// Maximum time for which the circuit is open before the target is probed again.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What is known of how a target receives notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetHealth {
    /// Number of attempts in a row that failed through the target. A failure that only the one event explains does not
    /// count.
    pub failures: u32,
    /// Time of the first of these attempts.
    pub failing_since: Option<Time>,
    /// Time until which the circuit is open; `None`: it is closed. After that time one notification at a time is sent.
    pub paused_until: Option<Time>,
    /// Time of the last success.
    pub delivered_at: Option<Time>,
    /// Time at which the target said that it wants no more notifications. Nothing is sent until an operator resumes it.
    pub switched_off_at: Option<Time>,
}

impl TargetHealth {
    /// Returns the health after a success.
    #[must_use]
    pub fn delivered(self, now: Time) -> TargetHealth {
        TargetHealth {
            delivered_at: Some(now),
            ..self.answered()
        }
    }

    /// Returns the health after a failure through the target. `jitter`, from 0 to 1, spreads the probes of targets that
    /// failed together.
    #[must_use]
    pub fn failed(self, now: Time, jitter: f64) -> TargetHealth {
        let failures = self.failures.saturating_add(1);
        let open = failures >= FAILURES_MAX;
        TargetHealth {
            failures,
            failing_since: self.failing_since.or(Some(now)),
            paused_until: open.then(|| now.plus(pause(failures, jitter))),
            ..self
        }
    }

    /// Returns the health after an answer that only the one event explains: the target is there.
    #[must_use]
    pub fn answered(self) -> TargetHealth {
        TargetHealth {
            failures: 0,
            failing_since: None,
            paused_until: None,
            ..self
        }
    }

    /// Returns the health of a target that said it wants no more.
    #[must_use]
    pub fn switched_off(self, now: Time) -> TargetHealth {
        TargetHealth {
            switched_off_at: self.switched_off_at.or(Some(now)),
            ..self
        }
    }

    /// Returns the health after an operator resumed the target.
    #[must_use]
    pub fn resumed(self) -> TargetHealth {
        TargetHealth {
            delivered_at: self.delivered_at,
            ..TargetHealth::default()
        }
    }

    /// Returns `true` if the circuit is not closed: at most one notification is sent at a time, to find out if it can
    /// close.
    pub fn is_probed(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Returns the time before which nothing may be sent, if there is one.
    pub fn not_before(&self, now: Time) -> Option<Time> {
        self.paused_until.filter(|until| *until > now)
    }
}

/// Returns the time for which the circuit is open after this number of failures.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(FAILURES_MAX).min(16);
    let pause = PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX);
    pause.mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    #[test]
    fn the_circuit_opens_after_five_failures_for_longer_and_longer_and_closes_with_a_success() {
        let mut health = TargetHealth::default();
        let mut pauses = Vec::new();
        for _ in 0..13 {
            health = health.failed(at(100), 0.0);
            let until = health.not_before(at(100));
            pauses.push(until.map_or(0, |until| until.since(at(100)).as_secs()));
        }
        assert_eq!(
            pauses,
            [0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 600, 600, 600]
        );
        assert_eq!(health.failing_since, Some(at(100)));
        assert!(health.is_probed());
        assert_eq!(health.not_before(at(800)), None);
        let well = health.delivered(at(800));
        assert!(!well.is_probed() && well.failing_since.is_none());
        assert_eq!(well.delivered_at, Some(at(800)));
        assert_eq!(health.answered().failures, 0);
    }

    #[test]
    fn a_target_that_is_switched_off_stays_so_until_it_is_resumed() {
        let off = TargetHealth::default().switched_off(at(5));
        assert_eq!(off.switched_off(at(9)).switched_off_at, Some(at(5)));
        assert_eq!(off.delivered(at(9)).switched_off_at, Some(at(5)));
        assert_eq!(off.resumed().switched_off_at, None);
    }

    #[test]
    fn jitter_only_shortens_a_pause() {
        let failing = TargetHealth {
            failures: 4,
            ..TargetHealth::default()
        };
        let until = |jitter| failing.failed(at(0), jitter).paused_until;
        assert_eq!(until(1.0), Some(at(12)));
        assert_eq!(until(0.0), Some(at(15)));
    }
}
