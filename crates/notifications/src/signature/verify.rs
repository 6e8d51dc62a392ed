//! Verification of what comes, as a receiver does it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use super::{Scheme, VerifyingKey, content};

/// Headers of a request that are needed to verify it; `None`: the request has no such header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedHeaders<'a> {
    /// Value of `webhook-id`.
    pub id: Option<&'a str>,
    /// Value of `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// Value of `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// Reason why a request is not shown to be genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The request lacks a header, or the header is empty.
    #[error("the request has no {header}")]
    MissingHeader {
        /// Name of the header.
        header: &'static str,
    },
    /// The time of the attempt cannot be read.
    #[error("webhook-timestamp is not a number of seconds since 1970")]
    UnreadableTimestamp,
    /// The attempt was made too long ago.
    #[error(
        "webhook-timestamp is {by_secs} s old, and {tolerance_secs} s are tolerated: the request was held up or is played \
         again, or a clock is wrong"
    )]
    TooOld {
        /// Age of the attempt.
        by_secs: u64,
        /// Age that is tolerated.
        tolerance_secs: u64,
    },
    /// The attempt is to be made in the future.
    #[error(
        "webhook-timestamp is {by_secs} s ahead, and {tolerance_secs} s are tolerated: the sender's clock or the \
         receiver's is wrong"
    )]
    TooNew {
        /// Time by which the attempt is ahead.
        by_secs: u64,
        /// Time that is tolerated.
        tolerance_secs: u64,
    },
    /// The header has nothing of the form of a signature.
    #[error("webhook-signature has no signature that can be read: `v1,` or `v1a,` and base64")]
    UnreadableSignature,
    /// All signatures are of other schemes than the keys.
    #[error(
        "the request is signed with {signed} only, and no key is for that: v1 needs the secret (whsec_), v1a the public \
         key (whpk_)"
    )]
    OtherScheme {
        /// Scheme of the request's first signature.
        signed: Scheme,
    },
    /// No signature was made by one of the keys, for this id, time and body.
    #[error(
        "no signature matches: the key is not the sender's, or the id, the time or the body is not what was signed; the \
         body must be taken byte for byte, before anything parses it"
    )]
    NoMatch,
}

/// Returns the place of the first key by which one of the request's signatures was made, if its time is near `now_secs`.
///
/// # Errors
///
/// The reason why the request is not shown to be genuine.
pub fn verify(
    keys: &[VerifyingKey],
    headers: &SignedHeaders<'_>,
    body: &[u8],
    now_secs: i64,
    tolerance: Duration,
) -> Result<usize, VerifyError> {
    let id = present(headers.id, ID_HEADER)?;
    let timestamp = present(headers.timestamp, TIMESTAMP_HEADER)?;
    let header = present(headers.signature, SIGNATURE_HEADER)?;
    check_time(timestamp, now_secs, tolerance)?;

    let signatures: Vec<(Scheme, Vec<u8>)> =
        header.split_whitespace().filter_map(signature).collect();
    let content = content(id, timestamp, body);
    let is_by = |key: &VerifyingKey| {
        let mut of_scheme = signatures
            .iter()
            .filter(|(scheme, _)| *scheme == key.scheme());
        of_scheme.any(|(_, signature)| key.verifies(&content, signature))
    };
    if let Some(place) = keys.iter().position(is_by) {
        return Ok(place);
    }
    let Some((signed, _)) = signatures.first() else {
        return Err(VerifyError::UnreadableSignature);
    };
    let is_known = |scheme: Scheme| keys.iter().any(|key| key.scheme() == scheme);
    if signatures.iter().any(|(scheme, _)| is_known(*scheme)) || keys.is_empty() {
        return Err(VerifyError::NoMatch);
    }
    Err(VerifyError::OtherScheme { signed: *signed })
}

fn present<'a>(value: Option<&'a str>, header: &'static str) -> Result<&'a str, VerifyError> {
    let value = value.filter(|value| !value.is_empty());
    value.ok_or(VerifyError::MissingHeader { header })
}

fn check_time(timestamp: &str, now_secs: i64, tolerance: Duration) -> Result<(), VerifyError> {
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let secs: Option<i64> = timestamp.parse().ok().filter(|_| is_number);
    let secs = secs.ok_or(VerifyError::UnreadableTimestamp)?;
    let (by_secs, tolerance_secs) = (now_secs.abs_diff(secs), tolerance.as_secs());
    if by_secs <= tolerance_secs {
        Ok(())
    } else if secs < now_secs {
        Err(VerifyError::TooOld {
            by_secs,
            tolerance_secs,
        })
    } else {
        Err(VerifyError::TooNew {
            by_secs,
            tolerance_secs,
        })
    }
}

/// Reads a signature; `None`: it cannot be read, or its scheme is not known, and another one may do.
fn signature(text: &str) -> Option<(Scheme, Vec<u8>)> {
    let (name, signature) = text.split_once(',')?;
    let schemes = [Scheme::V1, Scheme::V1a];
    let scheme = schemes.into_iter().find(|scheme| scheme.name() == name)?;
    Some((scheme, STANDARD.decode(signature).ok()?))
}
