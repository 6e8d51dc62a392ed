//! Times as Sinch writes them, in callbacks and in answers.

use jiff::{Timestamp, civil, tz::Offset};

/// Reads a time of Sinch's in RFC 3339, with or without a zone and with 0 to 9 fraction digits. A missing zone means
/// UTC, as each of Sinch's SDKs has it.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let at = text.parse::<civil::DateTime>().ok()?;
    Offset::UTC.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::NumberOrder;
    use crate::callback::Callback;

    #[test]
    fn callbacks_and_answers_are_read_alike() {
        let at = |micros: i64| Some(1_770_091_506_000_000 + micros);
        for (text, expected) in [
            ("2026-02-03T04:05:06", at(0)),
            ("2026-02-03T04:05:06Z", at(0)),
            ("2026-02-03T04:05:06.0", at(0)),
            ("2026-02-03T04:05:06.123", at(123_000)),
            ("2026-02-03T04:05:06.123456Z", at(123_456)),
            ("2026-02-03T04:05:06.123456789", at(123_456)),
            ("2026-02-03T04:05:06.000000000Z", at(0)),
            ("2026-02-03T04:05:06+00:00", at(0)),
            ("2026-02-03T04:05:06+0000", at(0)),
            ("2026-02-03T06:05:06.123456789+02:00", at(123_456)),
            ("yesterday", None),
            ("2026-02-30T00:00:00", None),
            ("1770091506", None),
            (" 2026-02-03T04:05:06Z ", None),
            ("2026-02-03T04:05:06.1234567890Z", None),
            ("Tue, 03 Feb 2026 04:05:06 GMT", None),
            ("9999-12-31T23:59:59-23:00", None),
        ] {
            let body = json!({
                "timestamp": text, "createTime": text, "updateTime": text, "expireTime": text,
            });
            let body = body.to_string();
            let callback = Callback::read(body.as_bytes()).expect("an object");
            let order = NumberOrder::read(body.as_bytes()).expect("an object");
            for time in [
                &callback.timestamp,
                &order.create_time,
                &order.update_time,
                &order.expire_time,
            ] {
                let micros = time.time().map(Timestamp::as_microsecond);
                assert_eq!(micros, expected, "{text}");
            }
        }
    }
}
