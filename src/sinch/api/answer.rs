//! From the bytes of an answer to what it shows.
//!
//! Strict about what is used, since it confirms a state, and lenient about the rest: unknown
//! properties are normal, and absent, `null` and `""` mean the same.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::order::{Id, Snapshot, Status, Time};

/// A longer word than this is no state: it would only fill the database.
const STATE_MAX_BYTES: usize = 256;

/// What a 200 shows of `order`, or why it is not believed.
pub(super) fn found(body: &[u8], project: &Id, order: &Id) -> Result<Snapshot, &'static str> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err("it is not a JSON object");
    };
    let id = text(&fields, "idNumberOrder").ok_or("it has no idNumberOrder")?;
    if id != order.as_str() {
        return Err("its idNumberOrder is not the order that was asked for");
    }
    let owner = text(&fields, "projectId").ok_or("it has no projectId")?;
    if owner != project.as_str() {
        return Err("its projectId is not the project that was asked for");
    }
    let state = text(&fields, "state").ok_or("it has no state")?;
    if state.len() > STATE_MAX_BYTES {
        return Err("its state is too long to be one");
    }
    let updated_at = text(&fields, "updateTime").ok_or("it has no updateTime")?;
    Ok(Snapshot {
        state: Status::from_word(state),
        updated_at: time(updated_at).ok_or("its updateTime is not a time")?,
        // Only helps to choose when to ask again, so it is not worth an answer.
        expires_at: text(&fields, "expireTime").and_then(time),
    })
}

/// Whether the body of a 404 is the API's: a proxy or a wrong address answers 404 too, and that must
/// not make an order vanish.
///
/// Sinch documents an object `error`. A string there, as one of its gateways has sent with a 400, is
/// what many other servers answer too.
pub(super) fn is_api_error(body: &[u8]) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return false;
    };
    fields.get("error").is_some_and(Value::is_object)
}

/// A property's text; `None` where there is none.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = fields.get(name)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// RFC 3339. Unlike a callback's, the API's times have a zone.
fn time(text: &str) -> Option<Time> {
    text.parse::<Timestamp>().ok().map(Time::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::order::State;

    fn id(text: &str) -> Id {
        Id::new(text).expect("an id")
    }

    fn body() -> Value {
        json!({
            "idNumberOrder": "o1", "projectId": "p1", "state": "IN_REVIEW",
            "updateTime": "2026-02-03T04:05:06Z", "expireTime": "2026-02-03T05:00:00.5Z",
            "orderNumbers": [{"capabilities": []}], "inventedLater": {"state": "EXPIRED"},
        })
    }

    fn read(body: &Value) -> Result<Snapshot, &'static str> {
        found(body.to_string().as_bytes(), &id("p1"), &id("o1"))
    }

    fn with(name: &str, value: Value) -> Result<Snapshot, &'static str> {
        let mut body = body();
        body[name] = value;
        read(&body)
    }

    #[test]
    fn an_order_is_read_and_the_rest_ignored() {
        assert_eq!(
            read(&body()),
            Ok(Snapshot {
                state: Status::Known(State::InReview),
                updated_at: Time(1_770_091_506_000_000),
                expires_at: Some(Time(1_770_094_800_500_000)),
            })
        );
    }

    #[test]
    fn times_come_with_any_fraction() {
        for (text, micros) in [
            ("2026-02-03T04:05:06Z", 0),
            ("2026-02-03T04:05:06.000Z", 0),
            ("2026-02-03T04:05:06.123Z", 123_000),
            ("2026-02-03T04:05:06.123456Z", 123_456),
            ("2026-02-03T06:05:06.123456789+02:00", 123_456),
        ] {
            let updated_at = with("updateTime", json!(text)).map(|shown| shown.updated_at);
            assert_eq!(
                updated_at,
                Ok(Time(1_770_091_506_000_000 + micros)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_expiry_that_cannot_be_read_is_none() {
        for value in [
            json!(null),
            json!(""),
            json!("soon"),
            json!(7),
            json!("2026-02-03T04:05:06"),
        ] {
            let expires_at = with("expireTime", value.clone()).map(|shown| shown.expires_at);
            assert_eq!(expires_at, Ok(None), "{value}");
        }
    }

    #[test]
    fn an_unknown_state_is_kept() {
        let state = with("state", json!("ON_HOLD")).map(|shown| shown.state);
        assert_eq!(state, Ok(Status::Unknown("ON_HOLD".to_owned())));
    }

    #[test]
    fn what_is_not_believed_says_why() {
        for (name, value, expected) in [
            ("idNumberOrder", json!("o2"), "not the order"),
            ("idNumberOrder", json!("O1"), "not the order"),
            ("idNumberOrder", json!(null), "no idNumberOrder"),
            ("projectId", json!("p2"), "not the project"),
            ("projectId", json!(""), "no projectId"),
            ("state", json!(""), "no state"),
            ("state", json!(3), "no state"),
            ("state", json!("X".repeat(257)), "too long"),
            ("updateTime", json!(null), "no updateTime"),
            ("updateTime", json!("2026-02-03T04:05:06"), "not a time"),
            ("updateTime", json!("lately"), "not a time"),
        ] {
            let why = with(name, value.clone()).expect_err("not believed");
            assert!(why.contains(expected), "{name}: {value}: {why}");
        }
        for body in ["", "[]", "null", "<html>", "{} {}", "\u{feff}{}"] {
            let why = found(body.as_bytes(), &id("p1"), &id("o1"));
            assert_eq!(why, Err("it is not a JSON object"), "{body}");
        }
    }

    #[test]
    fn a_404_of_the_api_has_an_error() {
        let body = r#"{"error":{"code":404,"message":"","status":"NOT_FOUND"}}"#;
        assert!(is_api_error(body.as_bytes()));
        for body in [
            "",
            "<h1>404</h1>",
            "{}",
            r#"{"error":null}"#,
            r#"{"error":"Not Found"}"#,
            r#"{"error":404}"#,
            r#""error""#,
            r#"{"message":"no route"}"#,
        ] {
            assert!(!is_api_error(body.as_bytes()), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(word in "\\PC{0,300}") {
            for name in ["idNumberOrder", "projectId", "state", "updateTime", "expireTime"] {
                let _ = with(name, json!(word));
            }
            let _ = found(word.as_bytes(), &id("p1"), &id("o1"));
            is_api_error(word.as_bytes());
        }
    }
}
