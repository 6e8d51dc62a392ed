//! Parses the bytes of a callback.
//!
//! The parser is lenient in what it ignores and strict in what it uses: unknown properties, resource types and statuses
//! are normal, and absent, `null` and `""` mean the same. Unusable content is not an error but a kind of content: an
//! authentic callback is kept, whatever it says.

use std::ops::Range;

use super::fields::{self, Field};
use super::time;
use number_order::{Id, NotUnderstood, Status, Time};

/// A parsed callback.
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
        /// `resourceId`: the order's `idNumberOrder`.
        order: Id,
        /// `status`, documented or not.
        status: Status,
        /// `timestamp`, the time at which Sinch created the callback; `None` if it is absent or unreadable.
        said_at: Option<Time>,
        /// The beginning of a `timestamp` that is present but unreadable, escaped.
        unreadable_timestamp: Option<String>,
    },
    /// Something else: an active number, an imported one, or a type not yet invented.
    Other {
        /// `resourceType`, as the callback has it.
        resource_type: String,
    },
    /// Unusable content, with the reason.
    NotUnderstood(NotUnderstood),
}

/// The `resourceType` of a number order.
const NUMBER_ORDER: &str = "NUMBER_ORDER";

/// Maximum length of an id or a word. A longer one means nothing to us, and would only fill the database.
const TEXT_MAX_BYTES: usize = 256;

/// Names of the properties that are used.
const NAMES: [&str; 6] = [
    "eventId",
    "projectId",
    "resourceType",
    "resourceId",
    "status",
    "timestamp",
];

/// Times at which a callback can have been created: from 2000 to 2099. Any other value is not its time stamp.
const PLAUSIBLE: Range<Time> = Time(946_684_800_000_000)..Time(4_102_444_800_000_000);

/// Parses a body that was sent to the callback route of `project`.
pub fn parse(body: &[u8], project: &Id) -> Callback {
    let fields = match fields::read(body, &NAMES) {
        Ok(fields) => fields,
        Err(unreadable) => {
            return Callback {
                event_id: None,
                content: Content::NotUnderstood(unreadable.into()),
            };
        }
    };
    let event_id = text("eventId", &fields[0]).ok().flatten();
    Callback {
        event_id: event_id.map(str::to_owned),
        content: content(&fields, project).unwrap_or_else(Content::NotUnderstood),
    }
}

/// Returns the content that `fields` have; they stand in the order of [`NAMES`].
fn content(fields: &[Field; NAMES.len()], project: &Id) -> Result<Content, NotUnderstood> {
    let [
        event_id,
        project_id,
        resource_type,
        resource_id,
        status,
        timestamp,
    ] = fields;
    text("eventId", event_id)?;
    if let Some(named) = text("projectId", project_id)?
        && !project.is_named(named)
    {
        return Err(NotUnderstood::ProjectMismatch {
            named: named.to_owned(),
            project: project.clone(),
        });
    }
    let resource_type = require("resourceType", resource_type)?;
    if resource_type != NUMBER_ORDER {
        let resource_type = resource_type.to_owned();
        return Ok(Content::Other { resource_type });
    }
    let order =
        Id::new(require("resourceId", resource_id)?).ok_or(NotUnderstood::UnusableOrderId)?;
    let status = Status::from_word(require("status", status)?);
    // An unreadable time stamp does not make the event invalid; the event only cannot be put in order.
    let said_at = timestamp.text().and_then(time::read);
    let said_at = said_at.filter(|at| PLAUSIBLE.contains(at));
    let unreadable_timestamp = match said_at {
        Some(_) => None,
        None => timestamp.excerpt(),
    };
    Ok(Content::Order {
        order,
        status,
        said_at,
        unreadable_timestamp,
    })
}

fn require<'a>(name: &str, field: &'a Field) -> Result<&'a str, NotUnderstood> {
    let missing = || NotUnderstood::PropertyMissing {
        property: name.to_owned(),
    };
    text(name, field)?.ok_or_else(missing)
}

/// Returns a property's text; `None` if there is none.
fn text<'a>(name: &str, field: &'a Field) -> Result<Option<&'a str>, NotUnderstood> {
    let property = || name.to_owned();
    match field {
        Field::Absent => Ok(None),
        Field::Text(text) if text.len() > TEXT_MAX_BYTES => Err(NotUnderstood::PropertyTooLong {
            property: property(),
            max_bytes: TEXT_MAX_BYTES,
        }),
        Field::Text(text) => Ok(Some(text)),
        Field::Garbled(_) => Err(NotUnderstood::PropertyNotUnicode {
            property: property(),
        }),
        Field::Other(_) => Err(NotUnderstood::PropertyNotText {
            property: property(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use number_order::State;

    const PROJECT: &str = "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2aa";

    fn read(body: &str) -> Callback {
        parse(body.as_bytes(), &Id::new(PROJECT).expect("an id"))
    }

    fn reason(body: &str) -> NotUnderstood {
        match read(body).content {
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
            let content = read(&body(&same)).content;
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
        let callback = read(
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
        let callback = read(
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
            // Readable times, but not plausible ones for a callback.
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
            } = read(&body).content
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
    fn other_resources_touch_no_order() {
        for kind in [
            "ACTIVE_NUMBER",
            "IMPORTED_NUMBER",
            "NUMBER",
            "INVENTED_LATER",
        ] {
            let body = format!(r#"{{"resourceType":"{kind}","resourceId":"+46700000000"}}"#);
            assert!(
                matches!(read(&body).content, Content::Other { .. }),
                "{kind}"
            );
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
            parse(b"\xff\xfe{}", &Id::new("p").expect("an id"))
                .event_id
                .is_none()
        );
    }

    #[test]
    fn the_event_id_survives_a_body_that_is_not_understood() {
        let callback = read(r#"{"eventId":"e9","resourceType":"NUMBER_ORDER"}"#);
        assert_eq!(callback.event_id.as_deref(), Some("e9"));
    }

    #[test]
    fn ids_that_could_leave_the_path_are_refused() {
        for id in [
            "", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "ä", "a\\b", "a\nb",
        ] {
            assert_eq!(Id::new(id), None, "{id:?}");
        }
        for byte in r#"/\?#%"<>^`{|}"#.chars() {
            assert_eq!(Id::new(format!("a{byte}b")), None, "{byte:?}");
        }
        assert_eq!(Id::new("x".repeat(129)), None);
        for id in [
            "01jgkbb8xywmz3hhahd76menqf",
            "+1234567890",
            "project-456",
            "...",
        ] {
            assert!(Id::new(id).is_some(), "{id}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&body, &Id::new(PROJECT).expect("an id"));
        }

        #[test]
        fn no_words_make_it_panic(word in "\\PC{0,300}", name in "[a-zA-Z]{1,12}") {
            let body = serde_json::json!({
                "resourceType": "NUMBER_ORDER", "resourceId": word, "status": word, "timestamp": word, name: word,
            });
            parse(body.to_string().as_bytes(), &Id::new(PROJECT).expect("an id"));
        }
    }
}
