//! What the service tells other systems, and how: the events, which target wants which, and what is sent.
//!
//! Pure: no input or output, no clock, no randomness. The sender hands in the time and the bytes of an answer.
//!
//! | question | answer |
//! |---|---|
//! | What happened? | [`Event`], of an [`EventType`]; its JSON is stored, and [`schema`] describes it |
//! | Who is told? | [`Filter`], of a target's configuration |
//! | What is sent? | [`Format::render`] makes the body of the stored JSON, and [`sign`] the signatures of the body |
//! | What should an operator see to? | [`ServiceAlert`], beside the alerts about orders; [`update_episodes`] says when it fires |
//! | May it go there? | [`check_address`], for the address that is connected to |
//! | What did it mean? | [`Attempt`], with the [`DeliveryFailure`] as a code |
//! | When again? | [`RetrySchedule`], with the wait that [`retry_after`] reads |
//! | Is it genuine? | [`verify`], for those who receive |
//!
//! Requests are those of [Standard Webhooks 1.0.0](https://github.com/standard-webhooks/standard-webhooks): the body is
//! signed with the id of the event, which stays the same, and the time of the attempt.
//!
//! ```
//! use std::time::Duration;
//!
//! use notifications::{Format, SignedHeaders, SigningKey, VerifyingKey, sign, verify};
//!
//! // The sender. While a secret is changed, there are two keys.
//! let event = r#"{"type":"order.completed","timestamp":"2026-09-21T14:14:20Z","sequence":42,"data":{"order":"o1"}}"#;
//! let keys = [SigningKey::new("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?];
//! let content = Format::Json.render(event, "evt_42", "sinch-callbacks");
//! let signature = sign(&keys, "evt_42", 1_790_000_060, &content.body);
//!
//! // The receiver.
//! let keys = [VerifyingKey::new("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?];
//! let headers = SignedHeaders {
//!     id: Some("evt_42"),
//!     timestamp: Some("1790000060"),
//!     signature: Some(&signature),
//! };
//! let tolerance = Duration::from_secs(300);
//! assert_eq!(verify(&keys, &headers, &content.body, 1_790_000_061, tolerance), Ok(0));
//! # Ok::<(), notifications::KeyError>(())
//! ```

mod address;
mod answer;
mod event;
mod event_type;
mod filter;
mod format;
mod health;
mod retry;
mod sample;
mod schema;
mod service_alert;
mod signature;
#[cfg(test)]
mod tests;

pub use address::{AddressClass, check_address};
pub use answer::{Attempt, Awaited, DeliveryFailure};
pub use event::{Event, EventData, OrderPart, Subject};
pub use event_type::{EventType, TypePattern};
pub use filter::{EventHead, Filter};
pub use format::{Content, Format};
pub use health::TargetHealth;
pub use retry::{RetrySchedule, retry_after};
pub use sample::sample;
pub use schema::{SCHEMA_VERSION, schema, schemas};
pub use service_alert::{
    AlertLimits, AlertNews, Episode, EpisodeChange, EpisodeWrite, update_episodes,
};
pub use service_alert::{
    CallbackRefusal, DiskFields, SecretComparison, SecretDrift, SecretFacts, SecretFinding,
    ServiceAlert, Sighting, sightings,
};
pub use service_alert::{Disk, ProjectFacts, RefusedCallback, ServiceFacts, TargetFacts};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
pub use signature::{KeyError, Scheme, SigningKey, VerifyingKey, new_key, sign};
pub use signature::{SignedHeaders, VerifyError, verify};
