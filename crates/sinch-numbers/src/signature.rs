//! `X-Sinch-Signature`: HMAC-SHA1 over the raw body, in 40 lower-case hex digits.
//!
//! Source: Sinch's documentation of the Numbers API and the four SDKs, which agree. Nothing in the scheme protects
//! against replay; the queue makes sure that the same event is taken once.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

/// Name of the header with a callback's signature. Other Sinch products use the same name for other schemes.
pub const HEADER: &str = "x-sinch-signature";

/// Returns the signature of a callback's body, as Sinch sends it and as the simulator imitates it.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    let digest = start_hmac(secret, body).finalize().into_bytes();
    digest
        .iter()
        .fold(String::with_capacity(40), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Returns `true` if a callback's signature was made with one of the secrets for exactly the bytes of `body`.
///
/// Several secrets may be in force at the same time, since Sinch documents no overlap when one is changed. Digests are
/// compared in constant time.
pub fn verify(secrets: &[SecretString], body: &[u8], signature: &[u8]) -> bool {
    verified_by(secrets, body, signature).is_some()
}

/// Returns the place of the first secret with which a callback's signature was made, if [`verify`] takes the signature.
pub fn verified_by<'a>(
    secrets: impl IntoIterator<Item = &'a SecretString>,
    body: &[u8],
    signature: &[u8],
) -> Option<usize> {
    let digest = decode_hex(signature)?;
    secrets
        .into_iter()
        .position(|secret| start_hmac(secret, body).verify_slice(&digest).is_ok())
}

/// Returns `true` if a signature has the documented form. No other is ever accepted.
pub fn is_well_formed(signature: &[u8]) -> bool {
    decode_hex(signature).is_some()
}

fn start_hmac(secret: &SecretString, body: &[u8]) -> Hmac<Sha1> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}

/// Decodes a signature of 40 lower-case hex digits, as documented; returns `None` for anything else.
fn decode_hex(hex: &[u8]) -> Option<[u8; 20]> {
    let mut digest = [0; 20];
    if hex.len() != 40 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(digest)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// Test case 2 of RFC 2202.
    #[test]
    fn agrees_with_the_standard() {
        let signature = sign(&secret("Jefe"), b"what do ya want for nothing?");
        assert_eq!(signature, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn any_secret_in_force_will_do() {
        let secrets = [secret("old"), secret("new")];
        for (place, used) in secrets.iter().enumerate() {
            let signature = sign(used, b"body");
            assert!(verify(&secrets, b"body", signature.as_bytes()));
            assert_eq!(
                verified_by(&secrets, b"body", signature.as_bytes()),
                Some(place)
            );
        }
        let foreign = sign(&secret("other"), b"body");
        assert!(!verify(&secrets, b"body", foreign.as_bytes()));
        assert!(!verify(&[], b"body", foreign.as_bytes()));
    }

    #[test]
    fn nothing_but_the_documented_form_passes() {
        let secrets = [secret("s")];
        let good = sign(&secrets[0], b"body");
        assert!(verify(&secrets, b"body", good.as_bytes()));
        for bad in [
            good.to_uppercase(),
            format!("sha1={good}"),
            format!(" {good}"),
            good[..39].to_owned(),
            format!("{good}0"),
            String::new(),
            "z".repeat(40),
        ] {
            assert!(!verify(&secrets, b"body", bad.as_bytes()), "{bad}");
        }
        assert!(!verify(&secrets, b"other body", good.as_bytes()));
    }
}
