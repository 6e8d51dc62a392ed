//! The clock of the service: no other module reads a clock.
//!
//! The time of day is read once, at the first use. From then on the system's steady clock tells the time, sleep of the
//! machine included. So a time of day that is set forward or back by days while the service runs moves no deadline, no
//! back-off and no order of events. The change is noticed and reported; a restart follows it.

use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use number_order::Time;

/// Time of day at the first use of the clock, and the reading of the steady clock at that moment.
static ANCHOR: LazyLock<(Time, Duration)> = LazyLock::new(|| (time_of_day(), steady_reading()));

/// Returns the present time in UTC, independently of `TZ`.
pub fn now() -> Time {
    let (time_of_day, then) = *ANCHOR;
    time_of_day.plus(steady_reading().saturating_sub(then))
}

/// Returns the number of seconds by which the system's time of day has been set since the first use of this clock:
/// forward, or back if negative.
pub fn set_by_secs() -> i64 {
    let micros = time_of_day().0.saturating_sub(now().0);
    micros / 1_000_000
}

/// Error of a time of day that cannot be the date of an HTTP answer. The library that sends answers panics over it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's clock says {0}: set it, since HTTP has no dates before 1970")]
pub struct ClockError(Time);

/// Checks that the system's clock can be used.
///
/// # Errors
///
/// Returns [`ClockError`] if the clock is before 1970.
pub fn check() -> Result<(), ClockError> {
    check_http_date(time_of_day())
}

fn check_http_date(time_of_day: Time) -> Result<(), ClockError> {
    if time_of_day < Time(0) {
        return Err(ClockError(time_of_day));
    }
    Ok(())
}

fn steady_reading() -> Duration {
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
    fn a_clock_before_1970_is_refused_by_name() {
        assert_eq!(check(), Ok(()));
        assert_eq!(check_http_date(Time(0)), Ok(()));
        let error = check_http_date(Time(-1)).expect_err("is refused");
        assert_eq!(
            error.to_string(),
            "the system's clock says 1969-12-31T23:59:59.999999Z: set it, since HTTP has no dates before 1970"
        );
    }

    #[test]
    fn time_goes_by_and_is_the_time_of_day() {
        let first = now();
        assert!(now() >= first);
        // The bound is wide enough for a machine that is busy between two readings.
        assert!(set_by_secs().abs() < 60);
        assert!(time_of_day().since(first) < Duration::from_secs(60));
    }
}
