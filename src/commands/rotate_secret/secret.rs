//! A new secret: made here, or given in a file.

use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};
use secrecy::{ExposeSecret, SecretString};

use crate::commands::command_error::CommandError;
use crate::files::read_text_limited;
use sinch_numbers::api::check_new_secret;

/// Beginning of the secrets that are made here, by which a later run of the command knows them.
const PREFIX: &str = "sinch-callbacks-";

/// Number of random characters of a secret that is made here: as many as Sinch's documentation leaves room for.
const RANDOM_CHARS: usize = 48;

/// Characters of which they are drawn.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Maximum size of a file that holds a secret.
const FILE_MAX_BYTES: u64 = 1024;

/// Returns `true` if the secret was made here.
pub(super) fn is_made_here(secret: &SecretString) -> bool {
    let random = secret.expose_secret().strip_prefix(PREFIX);
    random.is_some_and(|random| random.len() == RANDOM_CHARS)
}

/// Makes a secret in the form that Sinch's documentation asks for.
pub(super) fn new() -> Result<SecretString, CommandError> {
    // Never longer than this, so it is not moved, and no copy stays behind.
    let mut text = String::with_capacity(PREFIX.len() + RANDOM_CHARS);
    text.push_str(PREFIX);
    while text.len() < PREFIX.len() + RANDOM_CHARS {
        let mut bytes = [0; 64];
        let drawn = getrandom(&mut bytes, GetRandomFlags::empty());
        drawn.map_err(|error| {
            CommandError::failure(format!("the system gives no random bytes: {error}"))
        })?;
        let left = PREFIX.len() + RANDOM_CHARS - text.len();
        text.extend(bytes.iter().filter_map(|byte| character(*byte)).take(left));
    }
    Ok(SecretString::from(text))
}

/// Returns the character for a random byte; `None` for the few bytes that would make some characters more frequent.
fn character(byte: u8) -> Option<char> {
    let byte = usize::from(byte);
    let fair = 256 - 256 % ALPHABET.len();
    (byte < fair).then(|| char::from(ALPHABET[byte % ALPHABET.len()]))
}

/// Reads the secret that a file holds, which must be fit for Sinch.
pub(super) fn read(path: &Path) -> Result<SecretString, CommandError> {
    let fault = |error: &dyn std::fmt::Display| {
        CommandError::usage(format!("--new-secret-file {}: {error}", path.display()))
    };
    let text = read_text_limited(path, FILE_MAX_BYTES).map_err(|error| fault(&error))?;
    let secret = SecretString::from(text.trim_end_matches(['\n', '\r']));
    check_new_secret(&secret).map_err(|error| fault(&error))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_new_secret_is_another_one_and_fit_for_sinch() {
        let mut all = BTreeSet::new();
        for _ in 0..50 {
            let secret = new().expect("is made");
            assert!(check_new_secret(&secret).is_ok() && is_made_here(&secret));
            all.insert(secret.expose_secret().to_owned());
        }
        assert_eq!(all.len(), 50);
        assert!(!is_made_here(&SecretString::from(
            "sinch-callbacks-of-yours"
        )));
    }

    #[test]
    fn no_character_is_more_frequent_than_another() {
        let mut counts = [0; 256];
        for char in (0..=255).filter_map(character) {
            counts[char as usize] += 1;
        }
        let used: Vec<i32> = counts.into_iter().filter(|count| *count > 0).collect();
        assert_eq!(used, vec![4; ALPHABET.len()]);
    }

    #[test]
    fn a_given_secret_must_be_fit_for_sinch() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        for (text, is_fit) in [
            ("0123456789-0123456789-0123456789\n", true),
            ("0123456789-0123456789-0123456789\r\n", true),
            ("0123456789-0123456789-012345678_\n", false),
            ("short\n", false),
            ("0123456789-0123456789-0123456789\nanother\n", false),
            ("", false),
        ] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(read(&path).is_ok(), is_fit, "{text:?}");
        }
        assert!(read(&folder.path().join("absent")).is_err());
    }
}
