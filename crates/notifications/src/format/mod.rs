//! Forms in which a stored event is sent.
//!
//! What is made of an event depends on its stored bytes alone, so each attempt sends the same. A form never fails: of an
//! event of another version it tells what it finds.

mod cloud_events;
mod stored;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::json;
use strum::{EnumString, IntoStaticStr, VariantNames};

use stored::Stored;
use words::Words;

/// Form in which a target is told events.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// The event as it is stored.
    #[default]
    Json,
    /// The event in an envelope of `CloudEvents` 1.0, in its structured mode.
    CloudEvents,
    /// A message in words for the webhooks of Slack, and of what is compatible with it.
    Slack,
    /// Words: a line that can be a mail's subject, and lines of what is known.
    Text,
}

/// Content that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Media type: the value of `Content-Type`.
    pub media_type: &'static str,
    /// The bytes, which are signed as they are.
    pub body: Vec<u8>,
}

impl Format {
    /// Returns the form's name, as the configuration has it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns what is sent for a stored event. `id` is the event's id, the same at each attempt, and `source` names this
    /// service among others; only an envelope has them.
    pub fn render(self, event: &str, id: &str, source: &str) -> Content {
        let (media_type, body) = match self {
            Format::Json => ("application/json", event.to_owned()),
            Format::CloudEvents => (
                "application/cloudevents+json; charset=utf-8",
                cloud_events::envelope(event, id, source),
            ),
            Format::Slack => {
                let message = Words::of(&Stored::new(event)).message();
                (
                    "application/json",
                    json!({ "text": escaped(&message) }).to_string(),
                )
            }
            Format::Text => {
                let text = Words::of(&Stored::new(event)).text();
                ("text/plain; charset=utf-8", text)
            }
        };
        Content {
            media_type,
            body: body.into_bytes(),
        }
    }
}

/// Escapes the three characters with which Slack begins links, mentions and commands.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
