use std::time::Duration;

mod reference;

use super::*;

/// 32 bytes from 0 on, and what Python's `cryptography` and `hmac`, and OpenSSL, make of them.
const BYTES: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PUBLIC_BYTES: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const BODY: &[u8] = br#"{"a":1}"#;
const V1: &str = "v1,6L/uPKIVA+EinvGRLvOpbz/QWXEsd80NWgg/mH56GuM=";
const V1A: &str =
    "v1a,75tiKqGc4rPwa1+RBbDFFhEMFHNzEy7qKexuPDrB0mBVJhXQCJsc1H5zhAw+dFM+hTduY86XhucpgVLEPumOCQ==";
const AT: i64 = 1_674_087_231;
const TOLERANCE: Duration = Duration::from_secs(300);

fn symmetric() -> SigningKey {
    SigningKey::new(&format!("whsec_{BYTES}")).unwrap()
}

fn asymmetric() -> SigningKey {
    SigningKey::new(&format!("whsk_{BYTES}")).unwrap()
}

fn secret_of(bytes: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("whsec_{text}")
}

/// Verifies by a key a request that was sent with the given signatures at `AT`.
fn verified(key: &str, signature: &str) -> Result<usize, VerifyError> {
    let headers = SignedHeaders {
        id: Some("evt_1"),
        timestamp: Some("1674087231"),
        signature: Some(signature),
    };
    verify(
        &[VerifyingKey::new(key).unwrap()],
        &headers,
        BODY,
        AT,
        TOLERANCE,
    )
}

#[test]
fn signatures_are_those_that_others_make() {
    assert_eq!(sign(&[symmetric()], "evt_1", AT, BODY), V1);
    assert_eq!(sign(&[asymmetric()], "evt_1", AT, BODY), V1A);
    let both = sign(&[symmetric(), asymmetric()], "evt_1", AT, BODY);
    assert_eq!(both, format!("{V1} {V1A}"));
    assert_eq!(sign(&[], "evt_1", AT, BODY), "");
}

#[test]
fn the_public_key_belongs_to_the_secret_one() {
    let public = format!("whpk_{PUBLIC_BYTES}");
    assert_eq!(asymmetric().public_key(), Some(public.clone()));
    assert_eq!(symmetric().public_key(), None);
    assert_eq!(verified(&public, V1A), Ok(0));
    assert_eq!(verified(&format!("whsk_{BYTES}"), V1A), Ok(0));
    assert_eq!(verified(&format!("whsec_{BYTES}"), V1), Ok(0));
}

#[test]
fn a_key_at_fault_is_named_with_its_cure_and_never_shown() {
    // 64 bytes: the secret key with its public key, and with another.
    let halves =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==";
    assert!(SigningKey::new(&format!("whsk_{halves}")).is_ok());
    let differing = halves.replace("uA==", "uQ==");
    for (text, fault) in [
        ("", "begins with whsec_"),
        (BYTES, "begins with whsec_"),
        (" whsec_AAEC", "begins with whsec_"),
        ("whsec_", "0 bytes, and has to be of 24 to 64"),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", "23 bytes"),
        (&secret_of(&[7; 65]), "65 bytes"),
        (
            &format!("whsec_{BYTES}\n"),
            "what follows whsec_ is not base64",
        ),
        (
            BYTES
                .replace('=', "")
                .replace("AAEC", "whsec_AAEC")
                .as_str(),
            "what follows whsec_ is not base64",
        ),
        ("whsec_-_-_", "what follows whsec_ is not base64"),
        ("whsk_AAEC", "3 bytes, and has to be of 32"),
        (
            &format!("whsk_{differing}"),
            "not the public key of the first 32",
        ),
        (&format!("whpk_{PUBLIC_BYTES}"), "cannot sign"),
    ] {
        let error = SigningKey::new(text).expect_err(text).to_string();
        assert!(error.contains(fault), "{text}: {error}");
        let secret = text.split_once('_').map_or("", |(_, secret)| secret.trim());
        assert!(secret.len() < 8 || !error.contains(secret), "{error}");
    }
    for (text, fault) in [
        ("whpk_AAEC", "3 bytes, and has to be of 32"),
        // The neutral element: everybody can sign for it.
        (
            "whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "not a usable",
        ),
    ] {
        let error = VerifyingKey::new(text).expect_err(text).to_string();
        assert!(error.contains(fault), "{text}: {error}");
    }
    for (secret, bytes) in [([1; 24].as_slice(), 24), (&[1; 64], 64)] {
        assert!(SigningKey::new(&secret_of(secret)).is_ok(), "{bytes}");
    }
}

#[test]
fn no_key_is_written_anywhere() {
    let key = symmetric();
    assert_eq!(format!("{key:?}"), "SigningKey(v1, hidden)");
    assert_eq!(
        format!("{:?}", asymmetric().verifying_key()),
        "VerifyingKey(v1a, hidden)"
    );
}

/// A genuine request.
const GOOD: SignedHeaders = SignedHeaders {
    id: Some("evt_1"),
    timestamp: Some("1674087231"),
    signature: Some(V1),
};

fn judged(headers: &SignedHeaders<'_>, now_secs: i64) -> Result<usize, VerifyError> {
    verify(
        &[symmetric().verifying_key()],
        headers,
        BODY,
        now_secs,
        TOLERANCE,
    )
}

#[test]
fn a_header_that_is_missing_is_named() {
    for (headers, header) in [
        (SignedHeaders { id: None, ..GOOD }, "webhook-id"),
        (
            SignedHeaders {
                timestamp: None,
                ..GOOD
            },
            "webhook-timestamp",
        ),
        (
            SignedHeaders {
                signature: None,
                ..GOOD
            },
            "webhook-signature",
        ),
        (
            SignedHeaders {
                signature: Some(""),
                ..GOOD
            },
            "webhook-signature",
        ),
        (SignedHeaders::default(), "webhook-id"),
    ] {
        assert_eq!(
            judged(&headers, AT),
            Err(VerifyError::MissingHeader { header })
        );
    }
}

#[test]
fn a_request_is_of_its_time() {
    let old = |by_secs| {
        Err(VerifyError::TooOld {
            by_secs,
            tolerance_secs: 300,
        })
    };
    let new = |by_secs| {
        Err(VerifyError::TooNew {
            by_secs,
            tolerance_secs: 300,
        })
    };
    for (now, expected) in [
        (AT, Ok(0)),
        (AT + 300, Ok(0)),
        (AT - 300, Ok(0)),
        (AT + 301, old(301)),
        (AT - 301, new(301)),
        (i64::MIN, new(i64::MIN.abs_diff(AT))),
    ] {
        assert_eq!(judged(&GOOD, now), expected, "at {now}");
    }
    for timestamp in [
        "soon",
        "+1674087231",
        "1674087231.0",
        "99999999999999999999",
    ] {
        let headers = SignedHeaders {
            timestamp: Some(timestamp),
            ..GOOD
        };
        assert_eq!(
            judged(&headers, AT),
            Err(VerifyError::UnreadableTimestamp),
            "{timestamp}"
        );
    }
}

#[test]
fn a_signature_that_does_not_match_is_told_why() {
    let other_scheme = VerifyError::OtherScheme {
        signed: Scheme::V1a,
    };
    for (signature, expected) in [
        ("6L/uPKIVA", VerifyError::UnreadableSignature),
        ("v2,6L/u", VerifyError::UnreadableSignature),
        ("v1,***", VerifyError::UnreadableSignature),
        ("v1,6L/u", VerifyError::NoMatch),
        (V1A, other_scheme),
        (&V1.replace("v1,", "v1a,"), other_scheme),
    ] {
        let headers = SignedHeaders {
            signature: Some(signature),
            ..GOOD
        };
        assert_eq!(judged(&headers, AT), Err(expected), "{signature}");
    }
    let keys = [symmetric().verifying_key()];
    let later = SignedHeaders {
        timestamp: Some("1674087232"),
        ..GOOD
    };
    let other = SignedHeaders {
        id: Some("evt_2"),
        ..GOOD
    };
    for (keys, headers, body) in [
        (&keys[..], later, BODY),
        (&keys[..], other, BODY),
        (&keys[..], GOOD, br#"{"a":2}"#),
        (&[], GOOD, BODY),
    ] {
        let refused = verify(keys, &headers, body, AT, TOLERANCE);
        assert_eq!(refused, Err(VerifyError::NoMatch), "{headers:?}");
    }
}

#[test]
fn while_a_secret_is_changed_either_will_do() {
    let old = SigningKey::new(&secret_of(&[1; 32])).unwrap();
    let new = SigningKey::new(&secret_of(&[2; 32])).unwrap();
    let signature = sign(&[new.clone(), old.clone(), asymmetric()], "evt_1", AT, BODY);
    let headers = SignedHeaders {
        id: Some("evt_1"),
        timestamp: Some("1674087231"),
        signature: Some(&signature),
    };
    let keys = [symmetric(), old, new, asymmetric()].map(|key| key.verifying_key());
    for (keys, expected) in [
        (&keys[..], Ok(1)),
        (&keys[2..], Ok(0)),
        (&keys[3..], Ok(0)),
        (&keys[..1], Err(VerifyError::NoMatch)),
    ] {
        assert_eq!(verify(keys, &headers, BODY, AT, TOLERANCE), expected);
    }
}
