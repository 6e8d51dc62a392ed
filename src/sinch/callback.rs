//! From the bytes of a callback to what it says.
//!
//! Lenient in what we ignore, strict in what we use: unknown properties, resource types and statuses
//! are normal, and absent, `null` and `""` mean the same. What cannot be used is not an error but a
//! kind of content: an authentic callback is kept, whatever it says.

use std::borrow::Cow;
use std::fmt;

use jiff::{Timestamp, civil, tz::Offset};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use crate::order::{Id, Status, Time};

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// `eventId`, by which a repetition is known, wherever it could be read.
    pub event_id: Option<String>,
    /// What it is about.
    pub content: Content,
}

/// What a callback is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A number order.
    Order {
        /// `resourceId`: the order's `idNumberOrder`.
        order: Id,
        /// `status`.
        status: Status,
        /// `timestamp`, when Sinch created the callback; `None` where it is absent or unreadable.
        said_at: Option<Time>,
    },
    /// Something else: an active number, an imported one, or a type not yet invented.
    Other {
        /// `resourceType`.
        resource_type: String,
    },
    /// Not usable, with the reason.
    NotUnderstood(String),
}

/// The `resourceType` of a number order.
const NUMBER_ORDER: &str = "NUMBER_ORDER";

/// Longer ids and words than this are nobody's: they would only fill the database.
const TEXT_MAX_BYTES: usize = 256;

/// The properties that are used, as they stand in the body. Where one stands twice, the last counts.
#[derive(Default)]
struct Fields<'a> {
    event_id: Field<'a>,
    project_id: Field<'a>,
    resource_type: Field<'a>,
    resource_id: Field<'a>,
    status: Field<'a>,
    timestamp: Field<'a>,
}

/// What a property says. Text comes first: nearly all are.
#[derive(Default, serde::Deserialize)]
#[serde(untagged)]
enum Field<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    #[default]
    Absent,
    NotText(IgnoredAny),
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    EventId,
    ProjectId,
    ResourceType,
    ResourceId,
    Status,
    Timestamp,
    #[serde(other)]
    Ignored,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fields<'de>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(name) = map.next_key()? {
                    let field = match name {
                        Name::EventId => &mut fields.event_id,
                        Name::ProjectId => &mut fields.project_id,
                        Name::ResourceType => &mut fields.resource_type,
                        Name::ResourceId => &mut fields.resource_id,
                        Name::Status => &mut fields.status,
                        Name::Timestamp => &mut fields.timestamp,
                        Name::Ignored => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = map.next_value()?;
                }
                Ok(fields)
            }
        }
        from.deserialize_map(Object)
    }
}

/// Reads a body that was sent to `project`'s path.
pub fn parse(body: &[u8], project: &Id) -> Callback {
    let fields = match serde_json::from_slice::<Fields>(body) {
        Ok(fields) => fields,
        Err(error) => return not_understood(None, why_unreadable(body, error)),
    };
    let event_id = text("eventId", &fields.event_id).ok().flatten();
    let event_id = event_id.map(str::to_owned);
    match content(&fields, project) {
        Ok(content) => Callback { event_id, content },
        Err(reason) => not_understood(event_id, reason),
    }
}

/// The error's own words can quote the body; the position cannot.
fn why_unreadable(body: &[u8], error: serde_json::Error) -> String {
    let broken = match error.classify() {
        // It begins as something else than an object, and has not been read any further.
        Category::Data => serde_json::from_slice::<IgnoredAny>(body).err(),
        Category::Io | Category::Syntax | Category::Eof => Some(error),
    };
    match broken {
        Some(error) => {
            let (line, column) = (error.line(), error.column());
            format!("the body is not JSON (line {line}, column {column})")
        }
        None => "the body is JSON but not an object".to_owned(),
    }
}

fn not_understood(event_id: Option<String>, reason: String) -> Callback {
    Callback {
        event_id,
        content: Content::NotUnderstood(reason),
    }
}

fn content(fields: &Fields, project: &Id) -> Result<Content, String> {
    text("eventId", &fields.event_id)?;
    if let Some(named) = text("projectId", &fields.project_id)?
        && named != project.as_str()
    {
        return Err("projectId is not the project that this path belongs to".to_owned());
    }
    let resource_type = require("resourceType", &fields.resource_type)?;
    if resource_type != NUMBER_ORDER {
        let resource_type = resource_type.to_owned();
        return Ok(Content::Other { resource_type });
    }
    let order = Id::new(require("resourceId", &fields.resource_id)?)
        .ok_or("resourceId cannot be the id of an order: it could not stand in a URL")?;
    let status = Status::from_word(require("status", &fields.status)?);
    // An unreadable time stamp does not make the event invalid; it only cannot be put in order.
    let said_at = text("timestamp", &fields.timestamp).ok().flatten();
    Ok(Content::Order {
        order,
        status,
        said_at: said_at.and_then(time),
    })
}

fn require<'a>(name: &str, field: &'a Field) -> Result<&'a str, String> {
    text(name, field)?.ok_or_else(|| format!("{name} is missing"))
}

/// A property's text; `None` where it is absent, `null` or empty.
fn text<'a>(name: &str, field: &'a Field) -> Result<Option<&'a str>, String> {
    match field {
        Field::Absent => Ok(None),
        Field::Text(text) if text.is_empty() => Ok(None),
        Field::Text(text) if text.len() > TEXT_MAX_BYTES => {
            Err(format!("{name} is longer than {TEXT_MAX_BYTES} bytes"))
        }
        Field::Text(text) => Ok(Some(text)),
        Field::NotText(_) => Err(format!("{name} is not a string")),
    }
}

/// A time stamp as Sinch writes it: with or without a zone, with 0 to 9 fraction digits. A missing zone
/// means UTC, as each of Sinch's SDKs has it.
fn time(text: &str) -> Option<Time> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.into());
    }
    let at = text.parse::<civil::DateTime>().ok()?;
    Offset::UTC.to_timestamp(at).ok().map(Time::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::order::State;

    const PROJECT: &str = "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2aa";

    fn read(body: &str) -> Callback {
        parse(body.as_bytes(), &Id::new(PROJECT).expect("an id"))
    }

    fn reason(body: &str) -> String {
        match read(body).content {
            Content::NotUnderstood(reason) => reason,
            other => panic!("{body} was understood: {other:?}"),
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
            }
        );
    }

    #[test]
    fn time_stamps_of_every_kind_mean_the_same_moment() {
        for text in [
            "2026-02-03T04:05:06",
            "2026-02-03T04:05:06Z",
            "2026-02-03T04:05:06.0",
            "2026-02-03T04:05:06.000000000Z",
            "2026-02-03T04:05:06+00:00",
            "2026-02-03T04:05:06+0000",
            "2026-02-03T06:05:06+02:00",
        ] {
            assert_eq!(time(text), Some(Time(1_770_091_506_000_000)), "{text}");
        }
        for text in ["", "yesterday", "2026-02-30T00:00:00", "1770091506"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn an_unreadable_time_stamp_does_not_spoil_the_event() {
        for stamp in [r#""soon""#, "17", "null", r#""""#, "{}"] {
            let body = format!(
                r#"{{"timestamp":{stamp},"resourceType":"NUMBER_ORDER","resourceId":"o","status":"BLOCKED"}}"#
            );
            let Content::Order { said_at, .. } = read(&body).content else {
                panic!("{body} was not understood");
            };
            assert_eq!(said_at, None);
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
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[]", "not an object"),
            ("[[[", "not JSON"),
            ("{} {}", "not JSON"),
            (r#"{"eventId":"e1""#, "not JSON"),
            ("null", "not an object"),
            ("{}", "resourceType is missing"),
            (
                r#"{"eventId":123,"resourceType":"ACTIVE_NUMBER"}"#,
                "eventId is not a string",
            ),
            (
                r#"{"resourceType":["NUMBER_ORDER"]}"#,
                "resourceType is not a string",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","status":"BLOCKED"}"#,
                "resourceId is missing",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","resourceId":"o"}"#,
                "status is missing",
            ),
            (
                r#"{"resourceType":"NUMBER_ORDER","resourceId":"../x","status":"BLOCKED"}"#,
                "could not stand in a URL",
            ),
            (
                r#"{"projectId":"another","resourceType":"NUMBER_ORDER"}"#,
                "not the project",
            ),
        ] {
            let reason = reason(body);
            assert!(reason.contains(expected), "{body}: {reason}");
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
