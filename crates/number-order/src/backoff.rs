//! Back-off after a fetch attempt that brought no usable answer.

use std::time::Duration;

use super::{FetchOutcome, NoAnswer, Order, ParkReason, Time};

/// A fetch attempt that brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Reason why the attempt brought no usable answer.
    pub reason: NoAnswer,
    /// Minimum wait before the next attempt: Sinch's `Retry-After`, or the wait that a rule asks for.
    pub wait_min: Duration,
}

/// Spacing of the attempts to fetch an order, and their maximum number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Maximum wait after an order's first failed attempt, without its `wait_min`.
    pub base: Duration,
    /// Maximum wait after any failed attempt, without its `wait_min`.
    pub cap: Duration,
    /// Number of failed attempts in a row after which an order is parked.
    pub attempts_max: u32,
}

/// Maximum time for which any `Retry-After` is honoured.
const WAIT_MAX: Duration = Duration::from_secs(3600);

impl Backoff {
    /// Returns the wait after an order's `attempts`-th failed attempt in a row: exponential, capped, with full jitter,
    /// so that orders that failed together do not come back together. `jitter` is a random number from 0 to 1.
    pub fn wait(&self, attempts: u32, wait_min: Duration, jitter: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        let jitter = if jitter.is_finite() {
            jitter.clamp(0.0, 1.0)
        } else {
            1.0
        };
        wait_min.min(WAIT_MAX) + longest.mul_f64(jitter)
    }
}

/// Returns the order after a fetch attempt that brought no usable answer: it waits, or is parked when its attempts are
/// used up.
///
/// The attempt was counted when the order was claimed, so that one that crashes the program counts too. An attempt that
/// failed through the provider as a whole (`healthy` is false) does not count against the order. The attempt is taken
/// off again, so an outage, however long, brings no order nearer to being parked.
pub fn fail(
    order: &Order,
    outcome: &FetchOutcome,
    wait_min: Duration,
    healthy: bool,
    now: Time,
    backoff: &Backoff,
    jitter: f64,
) -> Order {
    let mut order = order.clone();
    let wait = backoff.wait(order.attempts, wait_min, jitter);
    if !healthy {
        order.attempts = order.attempts.saturating_sub(1);
    }
    if healthy && order.attempts >= backoff.attempts_max {
        order.parked = Some(ParkReason::AttemptsUsedUp {
            attempts: order.attempts,
            last: outcome.clone(),
        });
        order.fetch_at = None;
    } else {
        order.fetch_at = Some(now.plus(wait));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
        attempts_max: 5,
    };

    const FAILED: FetchOutcome = FetchOutcome::NoAnswer(NoAnswer::NotNow {
        endpoint: Endpoint::Orders,
        status: 500,
    });

    #[test]
    fn waits_double_up_to_the_cap() {
        let longest: Vec<u64> = (0..=9)
            .map(|n| BACKOFF.wait(n, Duration::ZERO, 1.0).as_secs())
            .collect();
        assert_eq!(longest, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(BACKOFF.wait(u32::MAX, Duration::ZERO, 1.0).as_secs(), 60);
        assert_eq!(BACKOFF.wait(3, Duration::ZERO, 0.0), Duration::ZERO);
        assert_eq!(BACKOFF.wait(3, Duration::ZERO, 0.5), Duration::from_secs(2));
    }

    #[test]
    fn retry_after_is_a_floor_and_bounded() {
        assert_eq!(
            BACKOFF.wait(1, Duration::from_secs(30), 0.5),
            Duration::from_millis(30_500)
        );
        assert_eq!(BACKOFF.wait(1, Duration::MAX, 0.0), WAIT_MAX);
        assert!(BACKOFF.wait(1, Duration::ZERO, f64::NAN) <= BACKOFF.cap);
    }

    #[test]
    fn the_last_attempt_parks_unless_the_failure_is_the_providers() {
        let mut order = Order::new(Time(0));
        order.attempts = 4;
        let waiting = fail(
            &order,
            &FAILED,
            Duration::ZERO,
            true,
            Time(7),
            &BACKOFF,
            0.0,
        );
        assert_eq!((waiting.fetch_at, waiting.parked), (Some(Time(7)), None));

        order.attempts = 5;
        let parked = fail(
            &order,
            &FAILED,
            Duration::ZERO,
            true,
            Time(7),
            &BACKOFF,
            0.0,
        );
        assert_eq!(parked.fetch_at, None);
        let used_up = ParkReason::AttemptsUsedUp {
            attempts: 5,
            last: FAILED,
        };
        assert_eq!(parked.parked, Some(used_up));

        let spared = fail(
            &order,
            &FAILED,
            Duration::ZERO,
            false,
            Time(7),
            &BACKOFF,
            0.0,
        );
        assert_eq!((spared.fetch_at, spared.parked), (Some(Time(7)), None));
        assert_eq!(spared.attempts, 4, "the try is not the order's");
    }
}
