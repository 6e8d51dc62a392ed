//! Parses the bytes of an answer.
//!
//! The parser is strict about what is used, since it confirms a state, and lenient about the rest: unknown properties
//! are normal, and absent, `null` and `""` mean the same.

use std::time::Duration;

use super::super::fields::{self, Field};
use super::super::time;
use number_order::{Id, Snapshot, Status, Time};

/// Names of the properties that are used.
const NAMES: [&str; 6] = [
    "idNumberOrder",
    "projectId",
    "state",
    "createTime",
    "updateTime",
    "expireTime",
];

/// Reason given for a body that cannot be read at all.
pub(crate) const NOT_AN_OBJECT: &str = "it is not a JSON object";

/// Maximum length of a state's word. A longer word is no state, and would only fill the database.
const STATE_MAX_BYTES: usize = 256;

/// Maximum time by which an order's last update may lie before its creation, whatever the resolution of the two.
const RESOLUTION: Duration = Duration::from_secs(60);

/// Returns the snapshot of `order` that the body of a 200 shows, or the reason why it is not believed.
pub(crate) fn found(body: &[u8], project: &Id, order: &Id) -> Result<Snapshot, &'static str> {
    let fields = fields::read(body, &NAMES).map_err(|_| NOT_AN_OBJECT)?;
    let [id, owner, state, created_at, updated_at, expires_at] = &fields;
    let id = id.text().ok_or("it has no idNumberOrder")?;
    if id != order.as_str() {
        return Err("its idNumberOrder is not the order that was requested");
    }
    let owner = owner.text().ok_or("it has no projectId")?;
    if !project.is_named(owner) {
        return Err("its projectId is not the project that was requested");
    }
    let state = state.text().ok_or("it has no state")?;
    if state.len() > STATE_MAX_BYTES {
        return Err("its state is too long to be one");
    }
    let updated_at = updated_at.text().ok_or("it has no updateTime")?;
    let updated_at = time::read(updated_at).ok_or("its updateTime is not a time")?;
    let created_at = created_at.text().and_then(time::read);
    if created_at.is_some_and(|created_at| created_at.since(updated_at) > RESOLUTION) {
        return Err("its updateTime lies before its createTime");
    }
    let (expires_at, remark) = expiry(expires_at);
    Ok(Snapshot {
        state: Status::from_word(state),
        updated_at,
        expires_at,
        remark,
        sent_at: None,
    })
}

/// Reads the expiry. It only helps to schedule the next fetch and to fire alerts, so an unreadable one does not spoil
/// the answer, but it is worth a remark.
fn expiry(field: &Field) -> (Option<Time>, Option<String>) {
    match field.text().and_then(time::read) {
        Some(at) => (Some(at), None),
        None => {
            let remark = |excerpt| format!("its expireTime cannot be read: {excerpt}");
            (None, field.excerpt().map(remark))
        }
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
                remark: None,
                sent_at: None,
            })
        );
    }

    #[test]
    fn an_expiry_that_cannot_be_read_is_told() {
        for (value, remark) in [
            (json!(null), None),
            (json!(""), None),
            (
                json!("soon"),
                Some("its expireTime cannot be read: \"soon\""),
            ),
            (json!(7), Some("its expireTime cannot be read: \"7\"")),
        ] {
            let shown = with("expireTime", value.clone()).expect("is believed");
            assert_eq!(shown.expires_at, None, "{value}");
            assert_eq!(shown.remark.as_deref(), remark, "{value}");
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
            ("idNumberOrder", json!("o2"), "not the order"),
            ("idNumberOrder", json!("O1"), "not the order"),
            ("idNumberOrder", json!(null), "no idNumberOrder"),
            ("projectId", json!("p2"), "not the project"),
            ("projectId", json!(""), "no projectId"),
            ("state", json!(""), "no state"),
            ("state", json!(3), "no state"),
            ("state", json!("X".repeat(257)), "too long"),
            ("updateTime", json!(null), "no updateTime"),
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
