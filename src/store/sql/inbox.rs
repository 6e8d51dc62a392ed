//! What the inbox stores of a callback.

use sha2::{Digest, Sha256};

use super::codes::Code;
use crate::store::{DeliveryContent, NewDelivery};
use number_order::{Kept, Status};

/// Returns the key by which a duplicate of a delivery is recognised: the event's id, or a fingerprint of the body where
/// there is none.
pub(in crate::store) fn dedup_key(delivery: &NewDelivery) -> String {
    match &delivery.event_id {
        Some(id) => id.clone(),
        None => fingerprint(&delivery.body),
    }
}

/// Returns the text that stands for a body in a key: its digest.
pub(in crate::store) fn fingerprint(body: &[u8]) -> String {
    fingerprint_of(&digest(body))
}

/// Returns the text that stands for the body with the given digest in a key.
pub(in crate::store) fn fingerprint_of(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| {
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
