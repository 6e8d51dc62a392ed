//! What the inbox stores of a callback.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::codes::Code;
use crate::store::{DeliveryContent, NewDelivery};
use number_order::{Kept, Status};

/// Beginning of the text that stands for a body in a key.
const FINGERPRINT: &str = "sha256:";

impl NewDelivery {
    /// Returns the key by which a duplicate of the delivery is recognised: the event's id, or a fingerprint of the body
    /// where there is none.
    pub fn dedup_key(&self) -> String {
        match &self.event_id {
            Some(id) => id.clone(),
            None => fingerprint(&self.body),
        }
    }
}

/// Returns the name of an event, which is the same for each of its deliveries in any database, by the key of one of them.
///
/// SQLite keeps an event that came with another body under a longer key, with the fingerprint of that body behind it, and
/// PostgreSQL takes no character 0.
pub fn event_name(dedup_key: &str) -> Cow<'_, str> {
    let mut name = dedup_key;
    while let Some(shorter) = without_fingerprint(name) {
        name = shorter;
    }
    if name.contains('\0') {
        name.replace('\0', "\u{fffd}").into()
    } else {
        name.into()
    }
}

/// Returns a key without the fingerprint behind it; `None`: there is none, or nothing else.
fn without_fingerprint(key: &str) -> Option<&str> {
    let (name, last) = key.rsplit_once(' ')?;
    let digest = last.strip_prefix(FINGERPRINT)?;
    let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_digest && !name.is_empty()).then_some(name)
}

/// Returns the text that stands for a body in a key: its digest.
pub(in crate::store) fn fingerprint(body: &[u8]) -> String {
    fingerprint_of(&digest(body))
}

/// Returns the text that stands for the body with the given digest in a key.
pub(in crate::store) fn fingerprint_of(digest: &[u8]) -> String {
    digest.iter().fold(FINGERPRINT.to_owned(), |text, byte| {
        format!("{text}{byte:02x}")
    })
}

/// Returns the digest that stands for a delivery's body: the first half of its SHA-256.
pub(in crate::store) fn digest(body: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(body);
    std::array::from_fn(|index| digest[index])
}

/// Returns the word for a state that Sinch said.
pub(in crate::store) fn word(status: &Status) -> &str {
    match status {
        Status::Known(state) => state.as_str(),
        Status::Unknown(word) => word,
    }
}

/// Columns of a new delivery that its content decides.
pub(in crate::store) struct Content<'a> {
    pub order: Option<&'a str>,
    pub status: Option<&'a str>,
    pub said_at: Option<i64>,
    pub phase: &'static str,
    pub decision: Option<Code>,
}

impl Content<'_> {
    pub(in crate::store) fn new(content: &DeliveryContent) -> Content<'_> {
        let decided = |phase, decision| Content {
            order: None,
            status: None,
            said_at: None,
            phase,
            decision: Some(decision),
        };
        match content {
            DeliveryContent::Order {
                order,
                status,
                said_at,
            } => Content {
                order: Some(order.as_str()),
                status: Some(word(status)),
                said_at: said_at.map(|at| at.0),
                phase: "waiting",
                decision: None,
            },
            DeliveryContent::Other(event) => {
                decided("recorded", Code::new(&Kept::OtherResource(event.clone())))
            }
            DeliveryContent::NotUnderstood(reason) => decided("parked", Code::new(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_one_name_whatever_its_key_in_a_database() {
        let (one, other) = (fingerprint(b"one"), fingerprint(b"other"));
        for (key, name) in [
            ("e1".to_owned(), "e1"),
            (format!("e1 {one}"), "e1"),
            (format!("e1 {one} {other}"), "e1"),
            ("a\0b".to_owned(), "a\u{fffd}b"),
            (format!("a\0b {one}"), "a\u{fffd}b"),
            // A delivery without an event's id, and ids that only resemble a longer key.
            (one.clone(), one.as_str()),
            (format!(" {one}"), format!(" {one}").as_str()),
            (
                format!("e1 {}", &one[1..]),
                format!("e1 {}", &one[1..]).as_str(),
            ),
            ("e1 sha256:12".to_owned(), "e1 sha256:12"),
        ] {
            assert_eq!(event_name(&key), name, "{key:?}");
        }
    }
}
