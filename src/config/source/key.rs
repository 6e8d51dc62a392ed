//! Names of the configuration's values: the path to each through sections and lists.

use std::fmt;

/// Ends of the names of keys whose values are never shown, since they are secret.
const SECRET_ENDS: [&str; 3] = ["token", "secret", "secrets"];
/// Name of the key whose value may hold a database's password. The addresses of other services have longer names.
const DATABASE_URL: &str = "url";
/// Name of the key of a target whose value is a program with its arguments.
const COMMAND: &str = "command";
/// Maximum number of characters of a value that are shown.
const SHOWN_MAX_CHARS: usize = 100;

/// Path from the root of the configuration to a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<Part>);

/// Step of the path to a value of the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Step to the value of the given key in a table.
    Name(String),
    /// Step to the entry of a list with the given index, from 0.
    Index(usize),
}

impl Key {
    /// Returns the path to the root, the whole of the configuration.
    pub fn root() -> Key {
        Key(Vec::new())
    }

    /// Returns the path to a section of the configuration.
    pub fn new(section: &str) -> Key {
        Key::root().name(section)
    }

    /// Returns the path to a key of the table to which this path leads.
    pub fn name(&self, name: &str) -> Key {
        self.followed_by(Part::Name(name.to_owned()))
    }

    /// Returns the path to an entry of the list to which this path leads.
    pub fn index(&self, index: usize) -> Key {
        self.followed_by(Part::Index(index))
    }

    fn followed_by(&self, part: Part) -> Key {
        let mut parts = self.0.clone();
        parts.push(part);
        Key(parts)
    }

    /// Returns the key of the configuration that an environment variable's name stands for, given without the prefix.
    pub fn from_variable(rest: &str) -> Key {
        let part = |part: &str| match part.parse() {
            Ok(index) => Part::Index(index),
            Err(_) => Part::Name(part.to_ascii_lowercase()),
        };
        Key(rest.split("__").map(part).collect())
    }

    /// Returns `true` if the key lies in the given section of the configuration.
    pub fn is_in(&self, section: &str) -> bool {
        matches!(self.0.first(), Some(Part::Name(name)) if name == section)
    }

    /// Returns `true` if the key's value is secret, and never shown.
    pub fn is_secret(&self) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Name(name) if is_secret(name)))
    }

    /// Returns `true` if the key is a target's command, or a part of one: its arguments may hold a password, or a token.
    pub fn is_of_command(&self) -> bool {
        let is_command = |part: &Part| matches!(part, Part::Name(name) if name == COMMAND);
        self.is_in("targets") && self.0.iter().any(is_command)
    }

    /// Returns the name at the end of the path; empty if the path ends with an index.
    pub fn last_name(&self) -> &str {
        match self.0.last() {
            Some(Part::Name(name)) => name,
            Some(Part::Index(_)) | None => "",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Name(name) if needs_no_quotes(name) => write!(f, "{dot}{name}")?,
                Part::Name(name) => write!(f, "{dot}{}", quoted(name))?,
            }
        }
        Ok(())
    }
}

/// Returns the name of the secret that a file holds, if a key of this name takes the file's path.
pub fn secret_in_file(name: &str) -> Option<&str> {
    name.strip_suffix("_file")
        .filter(|secret| is_secret(secret))
}

/// Returns `true` if values under a key of the given name are secret, and never shown.
pub fn is_secret(name: &str) -> bool {
    name == DATABASE_URL || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns `true` if the name of a key is shown as it is: it is short and a bare key of TOML.
fn needs_no_quotes(name: &str) -> bool {
    (1..=SHOWN_MAX_CHARS).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Quotes a text in one line, shortened where it is long.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
