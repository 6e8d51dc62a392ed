//! What it means that a try to ask Sinch brought no usable answer.

use std::time::Duration;

use super::{Order, Time};

/// A try without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, in words fit for an operator.
    pub reason: String,
    /// How long to wait at least: Sinch's `Retry-After`, or what a rule asks for.
    pub wait_min: Duration,
}

/// How tries are spaced, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The longest wait after the first failure.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// After this many tries in a row the order is parked.
    pub attempts_max: u32,
}

/// The longest that any `Retry-After` is honoured.
const WAIT_MAX: Duration = Duration::from_secs(3600);

impl BackOff {
    /// The wait after the `attempts`-th failure in a row: exponential, capped, with full jitter, so
    /// that what failed together does not come back together. `roll` is chance, 0 to 1.
    pub fn wait(&self, attempts: u32, wait_min: Duration, roll: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        let roll = if roll.is_finite() {
            roll.clamp(0.0, 1.0)
        } else {
            1.0
        };
        wait_min.min(WAIT_MAX) + longest.mul_f64(roll)
    }
}

/// The order after a try that brought nothing: it waits, or is parked when its tries are used up.
///
/// The try itself was counted when the order was claimed, so that one which crashes the program counts too. A try
/// that failed through the provider as a whole (`healthy` is false) is the order's no more: it is taken off again,
/// so an outage, however long, brings no order nearer to being parked.
pub fn fail(
    order: &Order,
    failure: &Failure,
    healthy: bool,
    now: Time,
    back_off: &BackOff,
    roll: f64,
) -> Order {
    let mut order = order.clone();
    let wait = back_off.wait(order.attempts, failure.wait_min, roll);
    if !healthy {
        order.attempts = order.attempts.saturating_sub(1);
    }
    if healthy && order.attempts >= back_off.attempts_max {
        order.parked = Some(format!(
            "gave up after {} tries: {}",
            order.attempts, failure.reason
        ));
        order.ask_at = None;
    } else {
        order.ask_at = Some(now.plus(wait));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK_OFF: BackOff = BackOff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
        attempts_max: 5,
    };

    fn failure(wait_min: Duration) -> Failure {
        Failure {
            reason: "500".to_owned(),
            wait_min,
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let longest: Vec<u64> = (0..=9)
            .map(|n| BACK_OFF.wait(n, Duration::ZERO, 1.0).as_secs())
            .collect();
        assert_eq!(longest, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(BACK_OFF.wait(u32::MAX, Duration::ZERO, 1.0).as_secs(), 60);
        assert_eq!(BACK_OFF.wait(3, Duration::ZERO, 0.0), Duration::ZERO);
        assert_eq!(
            BACK_OFF.wait(3, Duration::ZERO, 0.5),
            Duration::from_secs(2)
        );
    }

    #[test]
    fn retry_after_is_a_floor_and_bounded() {
        assert_eq!(
            BACK_OFF.wait(1, Duration::from_secs(30), 0.5),
            Duration::from_millis(30_500)
        );
        assert_eq!(BACK_OFF.wait(1, Duration::MAX, 0.0), WAIT_MAX);
        assert!(BACK_OFF.wait(1, Duration::ZERO, f64::NAN) <= BACK_OFF.cap);
    }

    #[test]
    fn the_last_try_parks_unless_the_provider_is_in_trouble() {
        let mut order = Order::new(Time(0));
        order.attempts = 4;
        let waiting = fail(
            &order,
            &failure(Duration::ZERO),
            true,
            Time(7),
            &BACK_OFF,
            0.0,
        );
        assert_eq!((waiting.ask_at, waiting.parked), (Some(Time(7)), None));

        order.attempts = 5;
        let parked = fail(
            &order,
            &failure(Duration::ZERO),
            true,
            Time(7),
            &BACK_OFF,
            0.0,
        );
        assert_eq!(parked.ask_at, None);
        assert_eq!(parked.parked.as_deref(), Some("gave up after 5 tries: 500"));

        let spared = fail(
            &order,
            &failure(Duration::ZERO),
            false,
            Time(7),
            &BACK_OFF,
            0.0,
        );
        assert_eq!((spared.ask_at, spared.parked), (Some(Time(7)), None));
        assert_eq!(spared.attempts, 4, "the try is not the order's");
    }
}
