//! Points in time as the whole program keeps them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates, so no input, however absurd, can make a decision panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// Returns the point in time that is `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Time {
        Time(self.0.saturating_add(saturating_micros(span)))
    }

    /// Returns the point in time that is `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(saturating_micros(span)))
    }

    /// Returns the time that has passed since `earlier`; zero if it was not earlier.
    pub fn since(self, earlier: Time) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Time {
        Time(at.as_microsecond())
    }
}

/// Shows the time in UTC, in the form of RFC 3339; a time beyond the ends of the calendar as the end.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let at = Timestamp::from_microsecond(self.0).unwrap_or(end);
        write!(f, "{at}")
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(at.into())
    }
}

fn saturating_micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time(i64::MAX).plus(Duration::from_secs(1)), Time(i64::MAX));
        assert_eq!(Time(i64::MIN).minus(Duration::from_secs(1)), Time(i64::MIN));
        assert_eq!(Time(5).since(Time(9)), Duration::ZERO);
        assert_eq!(Time(9).since(Time(5)), Duration::from_micros(4));
        assert_eq!(
            Time(i64::MAX).since(Time(i64::MIN)).as_micros(),
            i64::MAX as u128
        );
    }

    #[test]
    fn shown_as_utc() {
        assert_eq!(Time(1_500_000).to_string(), "1970-01-01T00:00:01.5Z");
        for (micros, shown) in [
            (253_402_207_200_000_000, "9999-12-30T22:00:00Z"),
            (253_402_207_200_999_999, "9999-12-30T22:00:00.999999999Z"),
            (i64::MAX, "9999-12-30T22:00:00.999999999Z"),
            (i64::MIN, "-009999-01-02T01:59:59Z"),
        ] {
            assert_eq!(Time(micros).to_string(), shown, "{micros}");
        }
    }
}
