//! Keys that sign and that verify, read from their text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes that the specification allows for a symmetric secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) const SYMMETRIC: &str = "whsec_";
pub(super) const SECRET: &str = "whsk_";
const PUBLIC: &str = "whpk_";

/// Fault of a key's text. It does not quote the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text begins with none of the prefixes.
    #[error(
        "a signing key begins with whsec_ (symmetric) or whsk_ (ed25519), and a key that verifies with whsec_ or whpk_; \
         `echo \"whsec_$(openssl rand -base64 32)\"` makes a symmetric one"
    )]
    UnknownPrefix,
    /// The key is public, and cannot sign.
    #[error(
        "whpk_ is a public key, which cannot sign: the key that begins with whsk_ belongs here"
    )]
    PublicCannotSign,
    /// What follows the prefix is not base64.
    #[error(
        "what follows {prefix} is not base64: letters, digits, + and /, filled up to a multiple of four with =, without \
         blanks and line breaks"
    )]
    NotBase64 {
        /// Prefix of the key.
        prefix: &'static str,
    },
    /// The key has another length than keys of its kind.
    #[error("what follows {prefix} is base64 of {bytes} bytes, and has to be of {expected}")]
    WrongLength {
        /// Prefix of the key.
        prefix: &'static str,
        /// Number of bytes of the key.
        bytes: usize,
        /// Numbers of bytes that a key of its kind can have, in words.
        expected: &'static str,
    },
    /// The two halves of an ed25519 key do not belong together.
    #[error(
        "the last 32 of the 64 bytes after whsk_ are not the public key of the first 32: was a part of the key changed? \
         The first 32 bytes suffice"
    )]
    HalvesDiffer,
    /// The bytes are no ed25519 public key, or one for which anybody can make signatures.
    #[error("what follows whpk_ is not a usable ed25519 public key: was a part of it changed?")]
    NoPublicKey,
}

/// Key that signs: a symmetric secret (`whsec_…`), or the secret key of an ed25519 pair (`whsk_…`).
#[derive(Clone)]
pub struct SigningKey(Signing);

#[derive(Clone)]
enum Signing {
    Symmetric(Zeroizing<Vec<u8>>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// Key that verifies: a symmetric secret (`whsec_…`), or the public key of an ed25519 pair (`whpk_…`).
#[derive(Clone)]
pub struct VerifyingKey(Verifying);

#[derive(Clone)]
enum Verifying {
    Symmetric(Zeroizing<Vec<u8>>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

/// Scheme of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA256 with a secret that both sides have.
    V1,
    /// Ed25519, of which the receiver has the public key only.
    V1a,
}

impl Scheme {
    /// Returns the word that stands before a signature of the scheme.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::V1 => "v1",
            Scheme::V1a => "v1a",
        }
    }
}

/// Shows the scheme's name.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl SigningKey {
    /// Reads a key that signs: `whsec_` and 24 to 64 bytes, or `whsk_` and an ed25519 secret key, which is 32 bytes, or
    /// 64 with its public key.
    ///
    /// # Errors
    ///
    /// The fault of the text, with its cure.
    pub fn new(text: &str) -> Result<SigningKey, KeyError> {
        if let Some(rest) = text.strip_prefix(SYMMETRIC) {
            return symmetric(rest).map(|secret| SigningKey(Signing::Symmetric(secret)));
        }
        if let Some(rest) = text.strip_prefix(SECRET) {
            let pair = Box::new(pair(rest)?);
            return Ok(SigningKey(Signing::Ed25519(pair)));
        }
        Err(if text.starts_with(PUBLIC) {
            KeyError::PublicCannotSign
        } else {
            KeyError::UnknownPrefix
        })
    }

    /// Returns the scheme of the signatures that the key makes.
    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Signing::Symmetric(_) => Scheme::V1,
            Signing::Ed25519(_) => Scheme::V1a,
        }
    }

    /// Returns the text of the public key, `whpk_…`, which the receivers need. A symmetric secret has none.
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Signing::Symmetric(_) => None,
            Signing::Ed25519(pair) => {
                let public = STANDARD.encode(pair.verifying_key().as_bytes());
                Some(format!("{PUBLIC}{public}"))
            }
        }
    }

    /// Returns the key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(match &self.0 {
            Signing::Symmetric(secret) => Verifying::Symmetric(secret.clone()),
            Signing::Ed25519(pair) => Verifying::Ed25519(Box::new(pair.verifying_key())),
        })
    }

    /// Returns the signature of a content, as the header has it.
    pub(super) fn sign(&self, content: &[u8]) -> String {
        let signature = match &self.0 {
            Signing::Symmetric(secret) => {
                STANDARD.encode(hmac(secret, content).finalize().into_bytes())
            }
            Signing::Ed25519(pair) => STANDARD.encode(pair.sign(content).to_bytes()),
        };
        format!("{},{signature}", self.scheme())
    }
}

impl VerifyingKey {
    /// Reads a key that verifies: `whsec_…`, `whpk_…`, or `whsk_…`, whose public key is taken.
    ///
    /// # Errors
    ///
    /// The fault of the text, with its cure.
    pub fn new(text: &str) -> Result<VerifyingKey, KeyError> {
        let Some(rest) = text.strip_prefix(PUBLIC) else {
            return SigningKey::new(text).map(|key| key.verifying_key());
        };
        let bytes = decode(PUBLIC, rest)?;
        let bytes: &[u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| KeyError::WrongLength {
                prefix: PUBLIC,
                bytes: bytes.len(),
                expected: "32",
            })?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).ok();
        let key = key
            .filter(|key| !key.is_weak())
            .ok_or(KeyError::NoPublicKey)?;
        Ok(VerifyingKey(Verifying::Ed25519(Box::new(key))))
    }

    /// Returns the scheme of the signatures that the key verifies.
    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Verifying::Symmetric(_) => Scheme::V1,
            Verifying::Ed25519(_) => Scheme::V1a,
        }
    }

    /// Returns `true` if the signature, in its bytes, is one of the content by this key. Secret digests are compared in
    /// constant time.
    pub(super) fn verifies(&self, content: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Verifying::Symmetric(secret) => hmac(secret, content).verify_slice(signature).is_ok(),
            Verifying::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(content, &signature).is_ok()),
        }
    }
}

/// Shows the scheme, and nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, hidden)", self.scheme())
    }
}

/// Shows the scheme, and nothing of the key.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, hidden)", self.scheme())
    }
}

fn hmac(secret: &[u8], content: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(content);
    mac
}

/// Decodes as the libraries of receivers do, so that no key is taken here that is refused there.
fn decode(prefix: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| KeyError::NotBase64 { prefix })?;
    Ok(Zeroizing::new(bytes))
}

fn symmetric(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let secret = decode(SYMMETRIC, text)?;
    if SECRET_BYTES.contains(&secret.len()) {
        return Ok(secret);
    }
    Err(KeyError::WrongLength {
        prefix: SYMMETRIC,
        bytes: secret.len(),
        expected: "24 to 64 (32 random ones are usual)",
    })
}

fn pair(text: &str) -> Result<ed25519_dalek::SigningKey, KeyError> {
    let bytes = decode(SECRET, text)?;
    if let Ok(seed) = bytes.as_slice().try_into() {
        return Ok(ed25519_dalek::SigningKey::from_bytes(seed));
    }
    let halves = bytes
        .as_slice()
        .try_into()
        .map_err(|_| KeyError::WrongLength {
            prefix: SECRET,
            bytes: bytes.len(),
            expected: "32 (the secret key), or 64 (with the public key behind it)",
        })?;
    ed25519_dalek::SigningKey::from_keypair_bytes(halves).map_err(|_| KeyError::HalvesDiffer)
}
