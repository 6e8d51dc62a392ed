//! Meaning of a callback for the service.
//!
//! It is lenient in what it ignores and strict in what it uses: unknown properties, resource types and statuses are
//! normal. Unusable content is not an error but a kind of content: an authentic callback is kept, whatever it says.

use std::ops::Range;

use number_order::{Id, NotUnderstood, OtherEvent, Status, Time};
use sinch_numbers::callback::{Callback as Said, NUMBER_ORDER};
use sinch_numbers::{Property, Unreadable};

/// A callback, as far as the service uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// `eventId`, by which a duplicate is recognised, if it could be read.
    pub event_id: Option<String>,
    /// Content of the callback, usable or not.
    pub content: Content,
}

/// Content of a callback, by its kind of resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A number order.
    Order {
        /// Id of the order: `resourceId`, which is its `idNumberOrder`.
        order: Id,
        /// State that the callback claims: `status`, documented or not.
        status: Status,
        /// Time at which Sinch created the callback: `timestamp`; `None` if it is absent or unreadable.
        said_at: Option<Time>,
        /// The beginning of a `timestamp` that is present but unreadable, escaped.
        unreadable_timestamp: Option<String>,
    },
    /// Another resource: an active number, an imported one, or a type that Sinch adds later.
    Other(OtherEvent),
    /// Unusable content, with the reason why it was not understood.
    NotUnderstood(NotUnderstood),
}

/// Maximum length of an id or a word. A longer one means nothing to the service, and would only fill the database.
const TEXT_MAX_BYTES: usize = 256;

/// Times at which a callback can have been created: from 2000 to 2099. A time outside of this range is no time stamp of
/// a callback.
const PLAUSIBLE_TIMES: Range<Time> = Time(946_684_800_000_000)..Time(4_102_444_800_000_000);

/// Reads the body of a callback that was sent to the route of `project`.
pub fn read(body: &[u8], project: &Id) -> Callback {
    let said = match Said::read(body) {
        Ok(said) => said,
        Err(unreadable) => {
            let reason = match unreadable {
                Unreadable::NotJson { line, column } => NotUnderstood::BodyNotJson { line, column },
                Unreadable::NotAnObject => NotUnderstood::BodyNotAnObject,
            };
            return Callback {
                event_id: None,
                content: Content::NotUnderstood(reason),
            };
        }
    };
    let event_id = property_text("eventId", &said.event_id).ok().flatten();
    Callback {
        event_id: event_id.map(str::to_owned),
        content: judge_content(&said, project).unwrap_or_else(Content::NotUnderstood),
    }
}

fn judge_content(said: &Said, project: &Id) -> Result<Content, NotUnderstood> {
    property_text("eventId", &said.event_id)?;
    if let Some(named) = property_text("projectId", &said.project_id)?
        && !project.is_named(named)
    {
        return Err(NotUnderstood::ProjectMismatch {
            named: named.to_owned(),
            project: project.clone(),
        });
    }
    let resource_type = required_text("resourceType", &said.resource_type)?;
    if resource_type != NUMBER_ORDER {
        return Ok(Content::Other(other(resource_type, said)));
    }
    let order = required_text("resourceId", &said.resource_id)?;
    let order = Id::new(order).ok_or(NotUnderstood::UnusableOrderId)?;
    let status = Status::from_word(required_text("status", &said.status)?);
    // An unreadable time stamp does not make the event invalid; but without one the event cannot be put in order.
    let said_at = said.timestamp.time().map(Time::from);
    let said_at = said_at.filter(|at| PLAUSIBLE_TIMES.contains(at));
    let unreadable_timestamp = match said_at {
        Some(_) => None,
        None => said.timestamp.excerpt(),
    };
    Ok(Content::Order {
        order,
        status,
        said_at,
        unreadable_timestamp,
    })
}

/// Returns what a callback says about another resource. What cannot be used is left out: nothing depends on it.
fn other(resource_type: &str, said: &Said) -> OtherEvent {
    let word = |property| {
        property_text("", property)
            .ok()
            .flatten()
            .map(str::to_owned)
    };
    OtherEvent {
        resource_type: resource_type.to_owned(),
        resource: word(&said.resource_id),
        event_type: word(&said.event_type),
        status: word(&said.status),
        failure_code: word(&said.failure_code),
    }
}

fn required_text<'a>(name: &str, property: &'a Property) -> Result<&'a str, NotUnderstood> {
    let missing = || NotUnderstood::PropertyMissing {
        property: name.to_owned(),
    };
    property_text(name, property)?.ok_or_else(missing)
}

/// Returns the text of a callback's property; `None` if there is none.
fn property_text<'a>(name: &str, property: &'a Property) -> Result<Option<&'a str>, NotUnderstood> {
    let name = || name.to_owned();
    match property {
        Property::Absent => Ok(None),
        Property::Text(text) if text.len() > TEXT_MAX_BYTES => {
            Err(NotUnderstood::PropertyTooLong {
                property: name(),
                max_bytes: TEXT_MAX_BYTES,
            })
        }
        Property::Text(text) => Ok(Some(text)),
        Property::Garbled(_) => Err(NotUnderstood::PropertyNotUnicode { property: name() }),
        Property::Other(_) => Err(NotUnderstood::PropertyNotText { property: name() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use number_order::State;

    const PROJECT: &str = "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2aa";

    fn parse(body: &str) -> Callback {
        read(body.as_bytes(), &Id::new(PROJECT).expect("an id"))
    }

    fn reason(body: &str) -> NotUnderstood {
        match parse(body).content {
            Content::NotUnderstood(reason) => reason,
            other => panic!("{body} was understood: {other:?}"),
        }
    }

    #[test]
    fn a_project_is_named_in_either_case_and_another_one_is_shown() {
        let body = |project: &str| {
            format!(
                r#"{{"projectId":"{project}","resourceType":"NUMBER_ORDER","resourceId":"o1","status":"BLOCKED"}}"#
            )
        };
        for same in [PROJECT.to_owned(), PROJECT.to_uppercase()] {
            let content = parse(&body(&same)).content;
            assert!(
                matches!(content, Content::Order { .. }),
                "{same}: {content:?}"
            );
        }
        for other in ["another", "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2ab"] {
            let mismatch = NotUnderstood::ProjectMismatch {
                named: other.to_owned(),
                project: Id::new(PROJECT).expect("an id"),
            };
            assert_eq!(reason(&body(other)), mismatch);
        }
    }

    #[test]
    fn an_order_event_is_read_and_the_rest_ignored() {
        let callback = parse(
            r#"{"eventId":"e1","timestamp":"2026-02-03T04:05:06.123456789","projectId":null,"extra":[1],
                "resourceType":"NUMBER_ORDER","resourceId":"o1","eventType":"NEW","status":"IN_REVIEW","failureCode":7}"#,
        );
        assert_eq!(callback.event_id.as_deref(), Some("e1"));
        assert_eq!(
            callback.content,
            Content::Order {
                order: Id::new("o1").expect("an id"),
                status: Status::Known(State::InReview),
                said_at: Some(Time(1_770_091_506_123_456)),
                unreadable_timestamp: None,
            }
        );
    }

    #[test]
    fn a_property_is_what_it_means_however_it_is_written() {
        let callback = parse(
            r#"{"resourceId":"other","event\u0049d":"e\u0031","resourceType":"NUMBER\u005fORDER",
                "status":"BLOCKED","deep":{"eventId":"no","list":[{"status":"no"}]},"resourceId":"o1"}"#,
        );
        assert_eq!(callback.event_id.as_deref(), Some("e1"));
        assert_eq!(
            callback.content,
            Content::Order {
                order: Id::new("o1").expect("an id"),
                status: Status::Known(State::Blocked),
                said_at: None,
                unreadable_timestamp: None,
            }
        );
    }

    #[test]
    fn an_unreadable_time_stamp_does_not_spoil_the_event() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let opened = format!("\"{}\"…", "[".repeat(32));
        for (stamp, excerpt) in [
            ("null", None),
            (r#""""#, None),
            (r#""soon""#, Some(r#""soon""#)),
            ("17", Some(r#""17""#)),
            ("1764324000123", Some(r#""1764324000123""#)),
            ("{}", Some(r#""{}""#)),
            ("1e400", Some(r#""1e400""#)),
            (r#""\ud800""#, Some(r#""\\ud800""#)),
            (&deep, Some(&opened)),
            // These times can be read, but no callback can have been created at them.
            (
                r#""-009999-01-02T00:00:00""#,
                Some(r#""-009999-01-02T00:00:00""#),
            ),
            (
                r#""0001-01-01T00:00:00Z""#,
                Some(r#""0001-01-01T00:00:00Z""#),
            ),
            (
                r#""1970-01-01T00:00:00Z""#,
                Some(r#""1970-01-01T00:00:00Z""#),
            ),
            (
                r#""9999-12-31T23:59:59Z""#,
                Some(r#""9999-12-31T23:59:59Z""#),
            ),
        ] {
            let body = format!(
                r#"{{"timestamp":{stamp},"resourceType":"NUMBER_ORDER","resourceId":"o","status":"BLOCKED"}}"#
            );
            let Content::Order {
                said_at,
                unreadable_timestamp,
                ..
            } = parse(&body).content
            else {
                panic!("{body} was not understood");
            };
            assert_eq!(said_at, None, "{body}");
            assert_eq!(unreadable_timestamp.as_deref(), excerpt, "{body}");
        }
    }

    #[test]
    fn a_property_that_cannot_be_used_says_so_itself() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for name in [
            "eventId",
            "projectId",
            "resourceType",
            "resourceId",
            "status",
        ] {
            for (value, expected) in [
                ("1e400", "property-not-text"),
                (&deep, "property-not-text"),
                (r#""\ud800""#, "property-not-unicode"),
            ] {
                // If a property occurs twice, the last one counts.
                let body = format!(
                    r#"{{"resourceType":"NUMBER_ORDER","resourceId":"o","status":"BLOCKED","{name}":{value}}}"#
                );
                let reason = reason(&body);
                assert_eq!(reason.code(), expected, "{body}");
                assert!(reason.to_string().starts_with(name), "{reason}");
            }
        }
    }

    #[test]
    fn other_resources_touch_no_order_and_what_they_say_is_read() {
        let long = "x".repeat(257);
        for kind in [
            "ACTIVE_NUMBER",
            "IMPORTED_NUMBER",
            "HOSTING_ORDER_NUMBER",
            "INVENTED_LATER",
        ] {
            let body = format!(
                r#"{{"resourceType":"{kind}","resourceId":"+46700000000","eventType":"{long}",
                    "status":"FAILED","failureCode":null,"internalFailureCode":"CRS0001"}}"#
            );
            let event = OtherEvent {
                resource_type: kind.to_owned(),
                resource: Some("+46700000000".to_owned()),
                event_type: None,
                status: Some("FAILED".to_owned()),
                failure_code: None,
            };
            assert_eq!(parse(&body).content, Content::Other(event), "{kind}");
        }
    }

    #[test]
    fn what_is_not_understood_says_why() {
        for (body, expected) in [
            ("", "body-not-json"),
            ("{", "body-not-json"),
            ("[]", "body-not-an-object"),
            ("[[[", "body-not-json"),
            ("{} {}", "body-not-json"),
            (r#"{"eventId":"e1""#, "body-not-json"),
            ("null", "body-not-an-object"),
            ("{}", "property-missing resourceType"),
            (
                r#"{"eventId":123,"resourceType":"ACTIVE_NUMBER"}"#,
                "property-not-text eventId",
            ),
            (
                r#"{"resourceType":["NUMBER_ORDER"]}"#,
                "property-not-text resourceType",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","status":"BLOCKED"}"#,
                "property-missing resourceId",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","resourceId":"o"}"#,
                "property-missing status",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","resourceId":"../x","status":"BLOCKED"}"#,
                "unusable-order-id",
            ),
            (
                r#"{"projectId":"another","resourceType":"NUMBER_ORDER"}"#,
                "project-mismatch",
            ),
        ] {
            let reason = reason(body);
            let found = match &reason {
                NotUnderstood::PropertyMissing { property }
                | NotUnderstood::PropertyNotText { property } => {
                    format!("{} {property}", reason.code())
                }
                _ => reason.code().to_owned(),
            };
            assert_eq!(found, expected, "{body}: {reason}");
        }
        assert!(
            read(b"\xff\xfe{}", &Id::new("p").expect("an id"))
                .event_id
                .is_none()
        );
    }

    #[test]
    fn the_event_id_survives_a_body_that_is_not_understood() {
        let callback = parse(r#"{"eventId":"e9","resourceType":"NUMBER_ORDER"}"#);
        assert_eq!(callback.event_id.as_deref(), Some("e9"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&body, &Id::new(PROJECT).expect("an id"));
        }

        #[test]
        fn no_words_make_it_panic(word in "\\PC{0,300}", name in "[a-zA-Z]{1,12}") {
            let body = serde_json::json!({
                "resourceType": "NUMBER_ORDER", "resourceId": word, "status": word, "timestamp": word, name: word,
            });
            read(body.to_string().as_bytes(), &Id::new(PROJECT).expect("an id"));
        }
    }
}
