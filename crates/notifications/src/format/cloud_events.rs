//! The envelope of `CloudEvents` 1.0.

use serde::Serialize;
use serde_json::value::RawValue;

use super::stored::Stored;

/// Digits of the largest number of an event: numbers of one length are in order as texts, too.
const SEQUENCE_DIGITS: usize = 19;

/// Envelope in the structured mode, in the order in which it is written.
#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    datacontenttype: &'static str,
    /// The extension "sequence" of the specification: a text that grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    /// An extension of this service's own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// Only the data, as they are written.
#[derive(serde::Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Returns the envelope of a stored event. The order is its subject, and its data are the event's, byte for byte.
pub(super) fn envelope(event: &str, id: &str, source: &str) -> String {
    let stored = Stored::new(event);
    let data: Option<Data> = serde_json::from_str(event).ok();
    let envelope = Envelope {
        specversion: "1.0",
        id,
        source,
        event_type: stored.event_type(),
        time: stored.timestamp(),
        subject: stored.data_text("order"),
        datacontenttype: "application/json",
        sequence: stored
            .sequence()
            .map(|number| format!("{number:0SEQUENCE_DIGITS$}")),
        test: stored.is_test(),
        data: data.map(|data| data.data),
    };
    serde_json::to_string(&envelope).expect("an envelope is always JSON")
}
