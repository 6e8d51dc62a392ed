//! Times as Sinch writes them, in callbacks and in answers.

use jiff::{Timestamp, civil, tz::Offset};

use number_order::Time;

/// Reads RFC 3339, with or without a zone and with 0 to 9 fraction digits. A missing zone means UTC, as each of
/// Sinch's SDKs has it.
pub(super) fn read(text: &str) -> Option<Time> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.into());
    }
    let at = text.parse::<civil::DateTime>().ok()?;
    Offset::UTC.to_timestamp(at).ok().map(Time::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::answer;
    use crate::callback::{self, Content};
    use number_order::{Flaw, Id, Snapshot};

    fn id(text: &str) -> Id {
        Id::new(text).expect("an id")
    }

    fn of_callback(text: &str) -> Option<Time> {
        let body = json!({
            "resourceType": "NUMBER_ORDER", "resourceId": "o1", "status": "BLOCKED", "timestamp": text,
        });
        let callback = callback::parse(body.to_string().as_bytes(), &id("p1"));
        match callback.content {
            Content::Order { said_at, .. } => said_at,
            other => panic!("no order: {other:?}"),
        }
    }

    fn of_answer(updated: &str, expires: &str) -> Result<Snapshot, Flaw> {
        let body = json!({
            "idNumberOrder": "o1", "projectId": "p1", "state": "CREATED", "updateTime": updated,
            "expireTime": expires,
        });
        answer::found(body.to_string().as_bytes(), &id("p1"), &id("o1"))
    }

    #[test]
    fn callbacks_and_answers_are_read_alike() {
        let at = |micros: i64| Some(Time(1_770_091_506_000_000 + micros));
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
            assert_eq!(of_callback(text), expected, "{text}");
            let updated = of_answer(text, "2026-02-03T04:05:06");
            assert_eq!(
                updated.ok().map(|shown| shown.updated_at),
                expected,
                "{text}"
            );
            let shown = of_answer("2026-02-03T04:05:06", text).expect("is believed");
            assert_eq!(shown.expires_at, expected, "{text}");
            assert_eq!(
                shown.unreadable_expiry.is_some(),
                expected.is_none(),
                "{text}"
            );
        }
    }
}
