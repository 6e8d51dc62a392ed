//! Checks of an answer that shows an order, before the service believes it.
//!
//! The service is strict about what confirms a state, and lenient about the rest: unknown properties and words are
//! normal.

use std::time::Duration;

use super::details;
use number_order::{Flaw, Id, Snapshot, Status, Time};
use sinch_numbers::api::{Answer, NumberOrder};

/// Maximum length of the word for a state, in bytes. A longer word is no state, and would only fill the database.
const STATE_MAX_BYTES: usize = 256;

/// Maximum time by which an order's last update may lie before its creation, whatever the resolution of the two.
const UPDATE_BEFORE_CREATION_MAX: Duration = Duration::from_secs(60);

/// Returns the snapshot of `order` that an answer shows, or the flaw because of which the answer is not believed.
///
/// The expiry only helps to schedule the next fetch and to fire alerts. So an answer with an unreadable one is
/// believed, and the beginning of the expiry is kept.
pub(super) fn believed(
    answer: &Answer<NumberOrder>,
    project: &Id,
    order: &Id,
) -> Result<Snapshot, Flaw> {
    let shown = &answer.content;
    let id = shown.id_number_order.text().ok_or(Flaw::NoOrderId)?;
    if id != order.as_str() {
        return Err(Flaw::OtherOrder);
    }
    let owner = shown.project_id.text().ok_or(Flaw::NoProject)?;
    if !project.is_named(owner) {
        return Err(Flaw::OtherProject);
    }
    let state = shown.state.text().ok_or(Flaw::NoState)?;
    if state.len() > STATE_MAX_BYTES {
        return Err(Flaw::StateTooLong);
    }
    if shown.update_time.text().is_none() {
        return Err(Flaw::NoUpdateTime);
    }
    let updated_at = shown.update_time.time().map(Time::from);
    let updated_at = updated_at.ok_or(Flaw::UpdateTimeUnreadable)?;
    let created_at = shown.create_time.time().map(Time::from);
    if created_at
        .is_some_and(|created_at| created_at.since(updated_at) > UPDATE_BEFORE_CREATION_MAX)
    {
        return Err(Flaw::UpdatedBeforeCreated);
    }
    let expires_at = shown.expire_time.time().map(Time::from);
    let unreadable_expiry = match expires_at {
        Some(_) => None,
        None => shown.expire_time.excerpt(),
    };
    Ok(Snapshot {
        state: Status::from_word(state),
        updated_at,
        expires_at,
        unreadable_expiry,
        details: details::order_details(shown, created_at).map(Box::new),
        sent_at: answer.sent_at.map(Time::from),
    })
}

#[cfg(test)]
pub(super) mod tests {
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

    /// Returns what is believed of the given body, if order `o1` of project `p1` was requested.
    pub fn read(body: &str) -> Result<Snapshot, Flaw> {
        let answer = Answer {
            sent_at: Some("2026-02-03T04:30:00Z".parse().expect("a time")),
            content: NumberOrder::read(body.as_bytes()).expect("an object"),
            body: body.into(),
        };
        believed(&answer, &id("p1"), &id("o1"))
    }

    fn with(name: &str, value: Value) -> Result<Snapshot, Flaw> {
        let mut body = body();
        body[name] = value;
        read(&body.to_string())
    }

    #[test]
    fn an_order_is_read_and_the_rest_ignored() {
        assert_eq!(
            read(&body().to_string()),
            Ok(Snapshot {
                state: Status::Known(State::InReview),
                updated_at: Time(1_770_091_506_000_000),
                expires_at: Some(Time(1_770_094_800_500_000)),
                unreadable_expiry: None,
                details: None,
                sent_at: Some(Time(1_770_093_000_000_000)),
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
            let body = body().to_string();
            let body = body.replacen('{', &format!(r#"{{"other":{other},"#), 1);
            let shown = read(&body);
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
            (
                "createTime",
                json!("2026-02-03T04:06:07Z"),
                Flaw::UpdatedBeforeCreated,
            ),
        ] {
            let flaw = with(name, value.clone()).map(|_| ());
            assert_eq!(flaw, Err(expected), "{name}: {value}");
        }
        let within_its_resolution = with("createTime", json!("2026-02-03T04:06:06Z"));
        assert!(within_its_resolution.is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(word in "\\PC{0,300}") {
            for name in ["idNumberOrder", "projectId", "state", "updateTime", "expireTime"] {
                let _ = with(name, json!(word));
            }
        }
    }
}
