//! All workers together: if they are alive, and what they log.

mod alive;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sinch::callback::{self, Content};
use number_order::Id;

#[test]
fn telephone_numbers_stay_out_of_the_log() {
    let logged_id = |order: &str| {
        let [project, order] = ["p", order].map(|id| Id::new(id).expect("an id"));
        logged_id(&OrderKey { project, order }).into_owned()
    };
    assert_eq!(logged_id("tel:+46-700-000-000"), "tel:(a number)");
    assert_eq!(
        logged_id("01k0000000000000000000000a"),
        "01k0000000000000000000000a"
    );
}

/// Returns everything that the log says about a callback in which one property is the given text.
fn said_of_callback(property: &str, text: &str) -> String {
    let mut body = json!({
        "eventId": "e",
        "projectId": "p",
        "resourceType": "NUMBER_ORDER",
        "resourceId": "o",
        "status": "COMPLETED",
        "timestamp": "2026-02-03T04:05:06Z",
    });
    body[property] = Value::from(text);
    let project = Id::new("p").expect("an id");
    let said = match callback::read(body.to_string().as_bytes(), &project).content {
        Content::Order {
            status,
            unreadable_timestamp,
            ..
        } => format!("{status} {unreadable_timestamp:?}"),
        Content::NotUnderstood(reason) => reason.to_string(),
        Content::Other(event) => event.resource_type,
    };
    redacted(&said).into_owned()
}

proptest! {
    /// Tests the texts that quote a word of Sinch's, which is escaped before the log is reached.
    #[test]
    fn a_number_in_a_word_of_sinchs_stays_out_of_the_log(
        number in "[\t\r\n\u{200b}x]?\\+?([0-9][- ,\t\u{200b}]?){7,15}[\t\r\nx]?",
    ) {
        for property in ["projectId", "resourceType", "status", "timestamp"] {
            let said = said_of_callback(property, &number);
            let mut rows = said.split(|char: char| !char.is_ascii_digit());
            prop_assert!(rows.all(|row| row.len() <= 4), "{}: {}", property, said);
        }
    }
}
