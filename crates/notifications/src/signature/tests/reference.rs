//! What the reference implementation says of the same requests.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use standardwebhooks::Webhook;

use super::*;

/// Headers as a receiver has them.
fn received(id: &str, timestamp: i64, signature: &str) -> HeaderMap {
    [
        (ID_HEADER, id),
        (TIMESTAMP_HEADER, &timestamp.to_string()),
        (SIGNATURE_HEADER, signature),
    ]
    .into_iter()
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    })
    .collect()
}

/// The time at which the reference implementation verifies: it has no other.
#[expect(
    clippy::disallowed_methods,
    reason = "the reference implementation reads the clock"
)]
fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().cast_signed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Each takes what the other signs, whatever else is in the header, and nothing that was changed.
    #[test]
    fn agrees_with_the_reference_implementation(
        secret in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[a-zA-Z0-9_]{1,40}",
        body in "\\PC{0,200}",
        offset in -200_i64..200,
    ) {
        let at = now_secs() + offset;
        let text = secret_of(&secret);
        let own = SigningKey::new(&text).unwrap();
        let reference = Webhook::new(&text).unwrap();
        let theirs = reference.sign(&id, at, body.as_bytes()).unwrap();
        prop_assert_eq!(sign(std::slice::from_ref(&own), &id, at, body.as_bytes()), theirs);

        let signature = sign(&[asymmetric(), symmetric(), own.clone()], &id, at, body.as_bytes());
        prop_assert!(reference.verify(body.as_bytes(), &received(&id, at, &signature)).is_ok());
        for (changed_id, changed_at, changed_body) in [
            (format!("{id}x"), at, body.clone()),
            (id.clone(), at + 1, body.clone()),
            (id.clone(), at, format!("{body} ")),
        ] {
            let refused = reference.verify(changed_body.as_bytes(), &received(&changed_id, changed_at, &signature));
            prop_assert!(refused.is_err());
            let timestamp = changed_at.to_string();
            let headers = SignedHeaders {
                id: Some(&changed_id),
                timestamp: Some(&timestamp),
                signature: Some(&signature),
            };
            let keys = [own.verifying_key(), asymmetric().verifying_key()];
            let refused = verify(&keys, &headers, changed_body.as_bytes(), at, TOLERANCE);
            prop_assert_eq!(refused, Err(VerifyError::NoMatch));
        }
    }

}

proptest! {
    /// Headers of any content are judged without a panic.
    #[test]
    fn any_header_is_judged(header in "\\PC{0,80}", timestamp in "\\PC{0,20}", now in any::<i64>()) {
        let headers = SignedHeaders {
            id: Some("evt_1"),
            timestamp: Some(&timestamp),
            signature: Some(&header),
        };
        prop_assert!(verify(&[symmetric().verifying_key()], &headers, BODY, now, TOLERANCE).is_err());
    }
}
