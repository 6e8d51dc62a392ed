//! Signatures of Standard Webhooks 1.0.0: what is sent is signed, and what comes is verified.
//!
//! Signed is `ID.TIME.BODY`: a receiver that checks the time refuses a request that is played again later, and one that
//! remembers the id takes each event once.

mod key;
mod new_key;
#[cfg(test)]
mod tests;
mod verify;

pub use key::{KeyError, Scheme, SigningKey, VerifyingKey};
pub use new_key::new_key;
pub use verify::{SignedHeaders, VerifyError, verify};

/// Name of the header with the event's id, which is the same at each attempt.
pub const ID_HEADER: &str = "webhook-id";

/// Name of the header with the time of the attempt: seconds since 1970 UTC.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// Name of the header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Returns the value of the header with the signatures: one for each key, with blanks between them. While a secret is
/// changed, both the old and the new one sign, and the receiver needs to know either.
///
/// The id must not contain a full stop, so that no id and time read like others.
pub fn sign(keys: &[SigningKey], id: &str, timestamp_secs: i64, body: &[u8]) -> String {
    let content = content(id, &timestamp_secs.to_string(), body);
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&content)).collect();
    signatures.join(" ")
}

/// Returns what is signed.
fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(id.len() + timestamp.len() + body.len() + 2);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        content.extend_from_slice(part);
    }
    content
}
