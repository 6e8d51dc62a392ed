//! Points in time as people write them: in full, or so long ago.

use std::time::Duration;

use serde_json::Value;

use number_order::Time;

/// Units of spans, each with its seconds.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];

/// Reads a point in time: in the form of RFC 3339, or the span since then.
pub(super) fn read(text: &str, now: Time) -> Result<Time, String> {
    if let Ok(at) = serde_json::from_value(Value::from(text)) {
        return Ok(at);
    }
    let span = read_span(text).ok_or_else(|| {
        format!(
            "{text:?} is no time: write 2026-01-31T12:00:00Z, or a span such as 30min, 2h or 3d"
        )
    })?;
    Ok(now.minus(span))
}

/// Reads a span of time.
pub(super) fn span(text: &str) -> Result<Duration, &'static str> {
    read_span(text).ok_or("write a span such as 30s, 30min, 2h or 3d")
}

fn read_span(text: &str) -> Option<Duration> {
    UNITS.iter().find_map(|(unit, secs)| {
        let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        Some(Duration::from_secs(count.checked_mul(*secs)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_span_is_read() {
        let now = Time(200_000_000_000);
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("30s", Some(199_970_000_000)),
            ("2 min", Some(199_880_000_000)),
            ("1h", Some(196_400_000_000)),
            ("2d", Some(27_200_000_000)),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
            ("yesterday", None),
        ] {
            assert_eq!(read(text, now).ok(), expected.map(Time), "{text}");
        }
    }
}
