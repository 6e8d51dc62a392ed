//! The clock of the service: no other module reads a clock.
//!
//! The time of day is read once, at the first use. From then on the system's steady clock tells the time, sleep of the
//! machine included. So a time of day that is set forward or back by days while the service runs moves no deadline, no
//! back-off and no order of events. The change is noticed and reported; a restart follows it.

use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use number_order::Time;

/// Time of day, and the reading of the steady clock at that moment.
static ANCHOR: LazyLock<(Time, Duration)> = LazyLock::new(|| (time_of_day(), steady()));

/// Returns the present time in UTC, independently of `TZ`.
pub fn now() -> Time {
    let (time_of_day, then) = *ANCHOR;
    time_of_day.plus(steady().saturating_sub(then))
}

/// Returns the number of seconds by which the time of day has been set since the first use: forward, or back if
/// negative.
pub fn set_by_secs() -> i64 {
    let micros = time_of_day().0.saturating_sub(now().0);
    micros / 1_000_000
}

fn steady() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(secs, u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn time_of_day() -> Time {
    jiff::Timestamp::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_and_is_the_time_of_day() {
        let first = now();
        assert!(now() >= first);
        // The bound is wide enough for a machine that is busy between two readings.
        assert!(set_by_secs().abs() < 60);
        assert!(time_of_day().since(first) < Duration::from_secs(60));
    }
}
