//! Time for which the store is left to callbacks after a claim that got all it asked for, and after results were recorded. Pure.

use std::time::Duration;

/// Length of the rest, as a multiple of the time that the claim or the recording took, where callbacks can spare time. They
/// wait for each of them, and what is told can wait.
const REST_FACTOR: f64 = 6.0;

/// The same where callbacks need all of the time.
const REST_FACTOR_MAX: f64 = 24.0;

/// Share of the time from which on callbacks can spare enough of it.
const SPARE_ENOUGH: f64 = 0.2;

/// Maximum rest, for the case that the disk was slow.
const REST_MAX: Duration = Duration::from_millis(100);

/// Returns the rest after a claim or a recording that took this long, while callbacks can spare this share of the time.
pub(super) fn after(took: Duration, spare: f64) -> Duration {
    let needed = (1.0 - spare / SPARE_ENOUGH).max(0.0);
    let factor = REST_FACTOR + (REST_FACTOR_MAX - REST_FACTOR) * needed;
    took.mul_f64(factor).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_longer_than_what_callbacks_waited_the_more_the_less_they_can_spare() {
        let ms = Duration::from_millis;
        for (took_ms, spare, rest_ms) in [
            (0, 0.0, 0),
            (1, 1.0, 6),
            (1, 0.2, 6),
            (1, 0.1, 15),
            (1, 0.0, 24),
            (10, 1.0, 60),
            (3000, 1.0, 100),
        ] {
            assert_eq!(after(ms(took_ms), spare), ms(rest_ms), "{took_ms}, {spare}");
        }
    }
}
