//! Checks of secrets, which operators set in the configuration itself or in files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::doc::ShownValue;
use super::hidden::{self, Kind};
use super::reader::{Entry, Reader};
use crate::config::source::key::{Key, is_secret, secret_in_file};
use crate::config::source::node::Node;
use crate::exposure;
use crate::files::read_text_limited;

/// Maximum size of a file of secrets.
const FILE_MAX_BYTES: u64 = 64 * 1024;
/// Fault of an empty callback secret. Sinch's own libraries accept one, and with an empty secret anybody can sign.
const EMPTY_SIGNING: &str =
    "empty, and with an empty key anybody could sign; write the secret that Sinch has";
/// Fault of an empty secret with which the service signs.
const EMPTY_TELLING: &str =
    "empty, and with an empty key anybody could sign; write the secret that the target has";

/// Secret of a list, with its place.
pub struct PlacedSecret {
    /// Key that set the secret.
    pub at: Key,
    /// Words for the line of the key's file, with a blank behind them; empty: the secret stands in the configuration.
    pub line: String,
    /// The secret.
    pub secret: SecretString,
}

/// Secret that a callback may be signed with.
#[derive(Clone, Debug)]
pub struct CallbackSecret {
    /// Place of the secret, by which people tell it from others: `projects[0].secrets[1]`.
    pub place: String,
    /// The secret.
    pub secret: SecretString,
}

impl Entry<'_, '_> {
    /// Reads a secret that stands in the configuration itself. The name of its key must be one of those whose values
    /// are never shown.
    pub fn optional_secret(self, name: &'static str, shown: ShownValue) -> Option<SecretString> {
        debug_assert!(is_secret(name), "{name}");
        self.optional_text(name, shown).map(SecretString::from)
    }

    /// Reads a list of secrets that stand in the configuration itself. The name of its key must be one of those whose
    /// values are never shown.
    pub fn optional_secrets(
        self,
        name: &'static str,
        shown: ShownValue,
    ) -> Option<Vec<SecretString>> {
        debug_assert!(is_secret(name), "{name}");
        let (at, reader) = self.note(name, shown, None);
        let texts = reader.find_list(&at, Node::text)?;
        Some(texts.into_iter().map(SecretString::from).collect())
    }
}

impl Reader<'_> {
    /// Returns a secret that is set in the configuration or in a file, and the key that set it.
    pub fn secret(
        &mut self,
        kind: Kind,
        (at, given): (Key, Option<SecretString>),
        (file_at, file): (Key, Option<PathBuf>),
    ) -> Option<(Key, SecretString)> {
        self.refuse_both(&at, given.is_some(), &file_at, file.is_some());
        let (at, secret) = match (given, file) {
            (Some(secret), _) => (at, secret),
            (None, Some(path)) => {
                let text = self.read_secret_file(&file_at, &path)?;
                // Every editor puts a line break at the end of a file.
                let text = text.strip_suffix('\n').unwrap_or(&text);
                let text = text.strip_suffix('\r').unwrap_or(text);
                (file_at, SecretString::from(text))
            }
            (None, None) => return None,
        };
        let text = secret.expose_secret();
        if hidden::is_empty(text) {
            self.fault(&at, "empty; write the secret, or leave the key out");
            return None;
        }
        if self.is_placeholder(&at, "", text) {
            return None;
        }
        if text.chars().any(char::is_control) {
            self.fault(
                &at,
                "holds a line break or another control character; write the secret alone",
            );
        } else {
            self.doubt(&at, "", text, kind);
        }
        Some((at, secret))
    }

    /// Returns the secrets with which callbacks may be signed, from the configuration or a file; `None` if neither has
    /// any.
    pub fn secrets(
        &mut self,
        given: (Key, Option<Vec<SecretString>>),
        file: (Key, Option<PathBuf>),
    ) -> Option<Vec<CallbackSecret>> {
        let placed = self.placed_secrets(Kind::Signing, given, file)?;
        let secrets = placed.into_iter().map(|placed| CallbackSecret {
            place: format!("{} {}", placed.at, placed.line)
                .trim_end()
                .to_owned(),
            secret: placed.secret,
        });
        Some(secrets.collect())
    }

    /// Returns a list of secrets from the configuration or a file, each with its place; `None` if neither has any.
    pub fn placed_secrets(
        &mut self,
        kind: Kind,
        (at, given): (Key, Option<Vec<SecretString>>),
        (file_at, file): (Key, Option<PathBuf>),
    ) -> Option<Vec<PlacedSecret>> {
        self.refuse_both(&at, given.is_some(), &file_at, file.is_some());
        let (at, placed) = match (given, file) {
            (Some(secrets), _) => {
                let secrets = secrets.into_iter().enumerate();
                let placed = secrets.map(|(index, secret)| PlacedSecret {
                    at: at.index(index),
                    line: String::new(),
                    secret,
                });
                (at.clone(), placed.collect::<Vec<_>>())
            }
            (None, Some(path)) => {
                // An unreadable file has been reported, so the missing secrets are not reported again.
                let Some(text) = self.read_secret_file(&file_at, &path) else {
                    return Some(Vec::new());
                };
                let lines = text.lines().enumerate();
                let lines = lines.filter(|(_, line)| !line.trim().is_empty());
                let placed = lines.map(|(index, line)| PlacedSecret {
                    at: file_at.clone(),
                    line: format!("line {} ", index + 1),
                    secret: SecretString::from(line),
                });
                let placed = placed.collect();
                (file_at, placed)
            }
            (None, None) => return None,
        };
        let empty = if kind == Kind::Signing {
            EMPTY_SIGNING
        } else {
            EMPTY_TELLING
        };
        if placed.is_empty() {
            self.fault(&at, empty);
        }
        let mut checked = Vec::new();
        for placed in placed {
            let PlacedSecret { at, line, secret } = &placed;
            let text = secret.expose_secret();
            if hidden::is_empty(text) {
                self.fault(at, &format!("{line}{empty}"));
            } else if !self.is_placeholder(at, line, text) {
                self.doubt(at, line, text, kind);
                checked.push(placed);
            }
        }
        Some(checked)
    }

    /// Refuses what only stands in place of a secret, such as the placeholder of the documents; `line` names the line of a
    /// file. Returns `true` if it is refused.
    pub fn is_placeholder(&mut self, at: &Key, line: &str, value: &str) -> bool {
        let stand_in = hidden::stand_in(value);
        if let Some(what) = stand_in {
            self.fault(at, &format!("{line}{what}"));
        }
        stand_in.is_some()
    }

    /// Warns of probable mistakes in a secret, whose form cannot be checked.
    pub fn doubt(&mut self, at: &Key, line: &str, value: &str, kind: Kind) {
        for doubt in hidden::doubts(value, kind) {
            self.warn(at, &format!("{line}{doubt}"));
        }
    }

    fn refuse_both(&mut self, at: &Key, given: bool, file_at: &Key, file: bool) {
        if given && file {
            self.fault(file_at, &format!("{at} is set too; leave one of them out"));
        }
    }

    fn read_secret_file(&mut self, at: &Key, path: &Path) -> Option<String> {
        match read_text_limited(path, FILE_MAX_BYTES) {
            Ok(text) => {
                if let Some(what) = exposure::of(path) {
                    self.warn(at, what);
                }
                Some(text)
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.fault(
                    at,
                    "not UTF-8 text; save it as such, or type the secret anew",
                );
                None
            }
            Err(error) => {
                let secret = secret_in_file(at.last_name()).unwrap_or_default();
                let what = format!(
                    "cannot be read: {error}; check the path and its permissions; the secret itself belongs in {secret}"
                );
                self.fault(at, &what);
                None
            }
        }
    }
}

/// Returns `true` if a header can carry the text.
pub fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}
