//! Places in a form: the path of keys that leads to a value.

use std::fmt;

use toml_writer::{TomlKeyBuilder, TomlStringBuilder, TomlWrite as _};

/// Path to a value of a form, as it would be written there. It stays in one line, whatever the names in it are.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(String);

impl Place {
    /// Path of a key in the table to which this path leads.
    pub(crate) fn key(&self, name: &str) -> Place {
        let dot = if self.0.is_empty() { "" } else { "." };
        Place(format!("{}{dot}{}", self.0, toml_key(name)))
    }

    /// Path of an entry in the list to which this path leads, counted from 0.
    pub(crate) fn entry(&self, n: usize) -> Place {
        Place(format!("{}[{n}]", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a name as a key of TOML: bare if it can be, else quoted, with what would disturb a line escaped.
pub(crate) fn toml_key(name: &str) -> String {
    let builder = TomlKeyBuilder::new(name);
    let key = builder.as_unquoted().unwrap_or_else(|| builder.as_basic());
    let mut written = String::new();
    // Writing to a text cannot fail.
    let _ = written.key(key);
    escaped(&written)
}

/// Returns a text as a string of TOML, in one line.
pub(crate) fn toml_text(text: &str) -> String {
    let mut written = String::new();
    // Writing to a text cannot fail.
    let _ = written.value(TomlStringBuilder::new(text).as_basic());
    escaped(&written)
}

/// Returns `true` for a character that is no part of a line of text: one that ends a line, another control, or one that
/// turns the direction of writing round.
pub(crate) fn disturbs_line(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Escapes the characters of a quoted text that TOML lets stand although they disturb a line.
pub(crate) fn escaped(written: &str) -> String {
    let escape = |c: char| {
        if disturbs_line(c) {
            format!("\\u{:04X}", u32::from(c))
        } else {
            c.to_string()
        }
    };
    written.chars().map(escape).collect()
}
