//! Callback key of a create: the last part of a path of its own, by which a callback tells which create made its order.

use serde::{Deserialize, Serialize};

/// Last part of the path at which callbacks about the order of one create arrive: 26 lower-case letters and digits.
///
/// If the answer to the create is lost, a callback to this path names the order. That Sinch keeps the path is our
/// inference: it does not promise it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CallbackKey(String);

impl CallbackKey {
    /// Number of characters of a callback key.
    const CHARS: usize = 26;

    /// Returns the text as a callback key, or `None` if it cannot be one.
    pub fn new(text: &str) -> Option<CallbackKey> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_key = text.len() == CallbackKey::CHARS && text.bytes().all(is_plain);
        is_key.then(|| CallbackKey(text.to_owned()))
    }

    /// Returns a callback key of random characters. `random(n)` returns a number from 0 to n − 1.
    pub fn random(mut random: impl FnMut(usize) -> usize) -> CallbackKey {
        const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut character = || char::from(CHARACTERS[random(CHARACTERS.len()) % CHARACTERS.len()]);
        CallbackKey((0..CallbackKey::CHARS).map(|_| character()).collect())
    }

    /// Returns the callback key as it stands in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CallbackKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<CallbackKey, &'static str> {
        CallbackKey::new(&text).ok_or("no callback key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_key_is_a_key() {
        let mut next = 0;
        let key = CallbackKey::random(|below| {
            next += 7;
            next % below
        });
        assert_eq!(CallbackKey::new(key.as_str()), Some(key));
        for text in [
            "",
            "callbacks",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "abcdefghijklmnopqrstuvwxy/",
        ] {
            assert_eq!(CallbackKey::new(text), None, "{text}");
        }
    }
}
