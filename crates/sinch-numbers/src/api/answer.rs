//! Parses the bytes of an answer.
//!
//! The parser is strict about what is used, since it confirms a state, and lenient about the rest: unknown properties
//! are normal, and absent, `null` and `""` mean the same.

use std::time::Duration;

use super::super::fields::{self, Field};
use super::super::time;
use super::details;
use number_order::{Flaw, Id, Snapshot, Status, Time};

/// Names of the properties that are used.
const NAMES: [&str; 11] = [
    "idNumberOrder",
    "projectId",
    "state",
    "createTime",
    "updateTime",
    "expireTime",
    "regionCode",
    "numberType",
    "smsConfiguration",
    "voiceConfiguration",
    "orderNumbers",
];

/// Maximum length of a state's word. A longer word is no state, and would only fill the database.
const STATE_MAX_BYTES: usize = 256;

/// Maximum time by which an order's last update may lie before its creation, whatever the resolution of the two.
const RESOLUTION: Duration = Duration::from_secs(60);

/// Returns the snapshot of `order` that the body of a 200 shows, or the flaw because of which it is not believed.
pub(crate) fn found(body: &[u8], project: &Id, order: &Id) -> Result<Snapshot, Flaw> {
    let fields = fields::read(body, &NAMES).map_err(|_| Flaw::NotAnObject)?;
    let [
        id,
        owner,
        state,
        created_at,
        updated_at,
        expires_at,
        subject @ ..,
    ] = &fields;
    let id = id.text().ok_or(Flaw::NoOrderId)?;
    if id != order.as_str() {
        return Err(Flaw::OtherOrder);
    }
    let owner = owner.text().ok_or(Flaw::NoProject)?;
    if !project.is_named(owner) {
        return Err(Flaw::OtherProject);
    }
    let state = state.text().ok_or(Flaw::NoState)?;
    if state.len() > STATE_MAX_BYTES {
        return Err(Flaw::StateTooLong);
    }
    let updated_at = updated_at.text().ok_or(Flaw::NoUpdateTime)?;
    let updated_at = time::read(updated_at).ok_or(Flaw::UpdateTimeUnreadable)?;
    let created_at = created_at.text().and_then(time::read);
    if created_at.is_some_and(|created_at| created_at.since(updated_at) > RESOLUTION) {
        return Err(Flaw::UpdatedBeforeCreated);
    }
    let (expires_at, unreadable_expiry) = expiry(expires_at);
    Ok(Snapshot {
        state: Status::from_word(state),
        updated_at,
        expires_at,
        unreadable_expiry,
        details: details::read(created_at, subject).map(Box::new),
        sent_at: None,
    })
}

/// Reads the expiry. It only helps to schedule the next fetch and to fire alerts, so an unreadable one does not spoil
/// the answer, but its beginning is kept.
fn expiry(field: &Field) -> (Option<Time>, Option<String>) {
    match field.text().and_then(time::read) {
        Some(at) => (Some(at), None),
        None => (None, field.excerpt()),
    }
}

/// Returns `true` if the body of a 404 is the API's. A proxy or a wrong address answers 404 too, and that must not make
/// an order vanish.
///
/// Sinch documents `error` as an object. Many other servers answer with a string there, as one of Sinch's gateways has
/// done with a 400.
pub(super) fn is_api_error(body: &[u8]) -> bool {
    match fields::read(body, &["error"]) {
        Ok([Field::Other(raw)]) => raw.starts_with('{'),
        Ok([Field::Absent | Field::Text(_) | Field::Garbled(_)]) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use number_order::State;

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

    fn read(body: &Value) -> Result<Snapshot, Flaw> {
        found(body.to_string().as_bytes(), &id("p1"), &id("o1"))
    }

    fn with(name: &str, value: Value) -> Result<Snapshot, Flaw> {
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
                unreadable_expiry: None,
                details: None,
                sent_at: None,
            })
        );
    }

    #[test]
    fn an_expiry_that_cannot_be_read_is_kept() {
        for (value, excerpt) in [
            (json!(null), None),
            (json!(""), None),
            (json!("soon"), Some("\"soon\"")),
            (json!(7), Some("\"7\"")),
        ] {
            let shown = with("expireTime", value.clone()).expect("is believed");
            assert_eq!(shown.expires_at, None, "{value}");
            assert_eq!(shown.unreadable_expiry.as_deref(), excerpt, "{value}");
        }
    }

    #[test]
    fn what_is_not_used_spoils_nothing() {
        for other in [
            "1e400".to_owned(),
            r#""\ud800""#.to_owned(),
            "[".repeat(200) + &"]".repeat(200),
        ] {
            let body = body()
                .to_string()
                .replacen('{', &format!(r#"{{"other":{other},"#), 1);
            let shown = found(body.as_bytes(), &id("p1"), &id("o1"));
            assert!(shown.is_ok(), "{body}: {shown:?}");
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
            ("idNumberOrder", json!("o2"), Flaw::OtherOrder),
            ("idNumberOrder", json!("O1"), Flaw::OtherOrder),
            ("idNumberOrder", json!(null), Flaw::NoOrderId),
            ("projectId", json!("p2"), Flaw::OtherProject),
            ("projectId", json!(""), Flaw::NoProject),
            ("state", json!(""), Flaw::NoState),
            ("state", json!(3), Flaw::NoState),
            ("state", json!("X".repeat(257)), Flaw::StateTooLong),
            ("updateTime", json!(null), Flaw::NoUpdateTime),
            ("updateTime", json!("lately"), Flaw::UpdateTimeUnreadable),
        ] {
            let flaw = with(name, value.clone()).map(|_| ());
            assert_eq!(flaw, Err(expected), "{name}: {value}");
        }
        for body in ["", "[]", "null", "<html>", "{} {}", "\u{feff}{}"] {
            let flaw = found(body.as_bytes(), &id("p1"), &id("o1"));
            assert_eq!(flaw, Err(Flaw::NotAnObject), "{body}");
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
