//! New keys that sign, in their text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Scheme;
use super::key::{SECRET, SYMMETRIC};

/// Returns the text of a new key that signs by a scheme: `whsec_…` or `whsk_…`. All who know its 32 bytes can sign, so they
/// come from the system's source of randomness.
pub fn new_key(scheme: Scheme, random: &[u8; 32]) -> Zeroizing<String> {
    let prefix = match scheme {
        Scheme::V1 => SYMMETRIC,
        Scheme::V1a => SECRET,
    };
    let text = Zeroizing::new(STANDARD.encode(random));
    Zeroizing::new(format!("{prefix}{}", *text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SigningKey;

    proptest! {
        #[test]
        fn each_new_key_is_a_key_of_its_scheme(random in any::<[u8; 32]>()) {
            for scheme in [Scheme::V1, Scheme::V1a] {
                let text = new_key(scheme, &random);
                let key = SigningKey::new(&text).expect("a key");
                prop_assert_eq!(key.scheme(), scheme);
                prop_assert_eq!(key.public_key().is_some(), scheme == Scheme::V1a);
                prop_assert!(text.ends_with(&STANDARD.encode(random)));
            }
        }
    }
}
