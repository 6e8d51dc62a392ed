//! How long the store is left to callbacks after a claim that got all it asked for, and after results were recorded. Pure.

use std::time::Duration;

/// Length of the rest, as a multiple of the time that the claim or the recording took. Callbacks wait for each of them, and
/// what is told can wait.
const REST_FACTOR: u32 = 6;

/// Maximum rest, for the case that the disk was slow.
const REST_MAX: Duration = Duration::from_millis(100);

/// Returns the rest after a claim or a recording that took this long.
pub(super) fn after(took: Duration) -> Duration {
    (took * REST_FACTOR).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_longer_than_what_callbacks_waited_and_bounded() {
        let ms = Duration::from_millis;
        for (took_ms, rest_ms) in [(0, 0), (1, 6), (10, 60), (3000, 100)] {
            assert_eq!(after(ms(took_ms)), ms(rest_ms));
        }
    }
}
