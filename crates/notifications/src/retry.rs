//! Times of the attempts to deliver an event.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use number_order::Time;

/// Maximum wait for which a receiver's `Retry-After` is honoured.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Share of a wait by which chance makes it longer at most, so that what failed together does not come back together.
const JITTER_SHARE: f64 = 0.2;

/// Waits before the attempts to deliver an event. When they are used up, the notification is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    waits: Vec<Duration>,
}

/// The example of Standard Webhooks 1.0.0: ten attempts within 75 hours, 35 minutes and 5 seconds.
impl Default for RetrySchedule {
    fn default() -> RetrySchedule {
        let secs = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        RetrySchedule::new(secs.map(Duration::from_secs).to_vec())
    }
}

impl RetrySchedule {
    /// Returns the schedule with the given waits between its attempts, of which the first is immediate. Without a wait
    /// there is one attempt.
    pub fn new(waits: Vec<Duration>) -> RetrySchedule {
        RetrySchedule { waits }
    }

    /// Returns the waits between the attempts.
    pub fn waits(&self) -> &[Duration] {
        &self.waits
    }

    /// Returns the number of attempts after which a notification is parked.
    pub fn attempts_max(&self) -> u32 {
        u32::try_from(self.waits.len()).map_or(u32::MAX, |waits| waits.saturating_add(1))
    }

    /// Returns the wait before the next attempt; `None`: the attempts are used up, and the notification is to be parked.
    ///
    /// `attempts` is the number of those that were made. `jitter`, a random number from 0 to 1, makes the wait longer by
    /// up to a fifth. `retry_after` is what the receiver asked for: the least wait, which a day bounds.
    pub fn next(
        &self,
        attempts: u32,
        jitter: f64,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        let wait = match attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(place) => *self.waits.get(usize::try_from(place).ok()?)?,
        };
        let jitter = if jitter.is_finite() {
            jitter.clamp(0.0, 1.0)
        } else {
            1.0
        };
        let spread = Duration::try_from_secs_f64(wait.as_secs_f64() * JITTER_SHARE * jitter);
        let wait = wait.saturating_add(spread.unwrap_or(Duration::MAX));
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Some(wait.max(asked))
    }
}

/// Reads `Retry-After`: seconds, or a date. A date is compared with the same answer's `Date`, so that the clock of this
/// machine does not matter, and without that with `received_at`. `None`: the header cannot be read. RFC 9110, section
/// 10.2.3.
pub fn retry_after(header: &str, date: Option<&str>, received_at: Time) -> Option<Duration> {
    let text = header.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number with more digits than fit means a long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until: Time = read_date(text)?.into();
    let now = date.and_then(read_date).map_or(received_at, Time::from);
    Some(until.since(now))
}

/// Reads the date of a header in the form that RFC 9110 requires of senders; the two that it calls obsolete are not
/// read.
fn read_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_default_is_the_specifications_example() {
        let schedule = RetrySchedule::default();
        let mut since_start = Duration::ZERO;
        let mut starts = Vec::new();
        for attempts in 0.. {
            let Some(wait) = schedule.next(attempts, 0.0, None) else {
                break;
            };
            since_start += wait;
            let secs = since_start.as_secs();
            starts.push(format!(
                "{:02}:{:02}:{:02}",
                secs / 3600,
                secs / 60 % 60,
                secs % 60
            ));
        }
        assert_eq!(
            starts,
            [
                "00:00:00", "00:00:05", "00:05:05", "00:35:05", "02:35:05", "07:35:05", "17:35:05",
                "31:35:05", "51:35:05", "75:35:05"
            ]
        );
        assert_eq!(schedule.attempts_max(), 10);
    }

    #[test]
    fn waits_are_spread_and_the_receivers_wish_is_the_least() {
        let schedule = RetrySchedule::new(vec![secs(10), secs(100)]);
        for (attempts, jitter, asked, expected) in [
            (0, 0.0, None, Some(0)),
            (0, 1.0, Some(7), Some(7)),
            (1, 0.0, None, Some(10)),
            (1, 0.5, None, Some(11)),
            (1, 1.0, None, Some(12)),
            (1, f64::NAN, None, Some(12)),
            (1, 7.0, None, Some(12)),
            (1, -7.0, None, Some(10)),
            (1, 1.0, Some(5), Some(12)),
            (1, 1.0, Some(60), Some(60)),
            (2, 0.0, Some(60), Some(100)),
            (2, 0.0, Some(u64::MAX), Some(86_400)),
            (3, 0.0, None, None),
            (3, 0.0, Some(60), None),
            (u32::MAX, 0.0, None, None),
        ] {
            let wait = schedule.next(attempts, jitter, asked.map(secs));
            assert_eq!(wait, expected.map(secs), "{attempts} {jitter} {asked:?}");
        }
        let once = RetrySchedule::new(Vec::new());
        assert_eq!((once.attempts_max(), once.next(1, 0.0, None)), (1, None));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let at = |text: &str| -> Time { text.parse::<Timestamp>().unwrap().into() };
        let now = at("2015-10-21T07:27:30Z");
        for (header, own_date, expected) in [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("99999999999999999999999", None, Some(u64::MAX)),
            (date, None, Some(30)),
            (date, Some("Wed, 21 Oct 2015 07:27:00 GMT"), Some(60)),
            (date, Some("Wed, 21 Oct 2015 07:29:00 GMT"), Some(0)),
            (date, Some("yesterday"), Some(30)),
            ("", None, None),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
        ] {
            let wait = retry_after(header, own_date, now);
            assert_eq!(wait, expected.map(secs), "{header} {own_date:?}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_the_schedules_and_a_fifth_more(
            waits in prop::collection::vec(any::<Duration>(), 0..12),
            attempts in 0_u32..14,
            jitter in any::<f64>(),
            asked in any::<Option<Duration>>(),
        ) {
            let schedule = RetrySchedule::new(waits.clone());
            let wait = schedule.next(attempts, jitter, asked);
            prop_assert_eq!(wait.is_some(), attempts < schedule.attempts_max());
            if let Some(wait) = wait {
                let own = attempts.checked_sub(1).map_or(Duration::ZERO, |place| waits[place as usize]);
                let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
                let most = own.saturating_add(own / 5).saturating_add(Duration::from_micros(1));
                prop_assert!(wait >= own.max(asked) && wait <= most.max(asked) || own.as_secs() > 1 << 40);
            }
        }

        #[test]
        fn any_header_is_read(header in "\\PC{0,40}", date in "\\PC{0,40}", now in any::<i64>()) {
            let _ = retry_after(&header, Some(&date), Time(now));
        }
    }
}
