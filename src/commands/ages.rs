//! Spans of time in words, as people read them at a glance.

use std::time::Duration;

use number_order::Time;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Returns a span in its largest unit, rounded down, of which there are at least two.
pub(super) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..120 => format!("{secs} s"),
        _ if secs < 2 * HOUR => format!("{} min", secs / MINUTE),
        _ if secs < 2 * DAY => format!("{} h", secs / HOUR),
        _ => format!("{} days", secs / DAY),
    }
}

/// Returns how long ago a time was.
pub(super) fn ago(at: Time, now: Time) -> String {
    format!("{} ago", span(now.since(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        for (secs, expected) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7199, "119 min"),
            (7200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(Duration::from_secs(secs)), expected);
        }
        assert_eq!(ago(Time(0), Time(5_000_000)), "5 s ago");
        assert_eq!(ago(Time(5), Time(0)), "0 s ago");
    }
}
