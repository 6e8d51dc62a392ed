//! The names of values: the way to each through sections and lists.

use std::fmt;

use serde_ignored::Path as Ignored;
use serde_path_to_error::{Path as Failed, Segment};

/// Keys whose values are shown to nobody.
const SECRET: [&str; 3] = ["token", "secrets", "key_secret"];
/// Longer values are shown in part.
const SHOWN_MAX_CHARS: usize = 100;

/// The way from the root to a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<Part>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
/// One step of the way.
pub enum Part {
    /// To the value of this key.
    Name(String),
    /// To the entry at this place.
    Index(usize),
}

impl Key {
    pub fn new(section: &str) -> Key {
        Key(Vec::new()).name(section)
    }

    pub fn name(&self, name: &str) -> Key {
        self.then(Part::Name(name.to_owned()))
    }

    pub fn index(&self, index: usize) -> Key {
        self.then(Part::Index(index))
    }

    fn then(&self, part: Part) -> Key {
        let mut parts = self.0.clone();
        parts.push(part);
        Key(parts)
    }

    /// The key that a variable's name stands for, less the prefix.
    pub fn from_variable(rest: &str) -> Key {
        let part = |part: &str| match part.parse() {
            Ok(index) => Part::Index(index),
            Err(_) => Part::Name(part.to_ascii_lowercase()),
        };
        Key(rest.split("__").map(part).collect())
    }

    /// The same, as the library that reads the tree has it.
    pub fn from_ignored(path: &Ignored<'_>) -> Key {
        match path {
            Ignored::Root => Key(Vec::new()),
            Ignored::Seq { parent, index } => Key::from_ignored(parent).index(*index),
            Ignored::Map { parent, key } => Key::from_ignored(parent).name(key),
            Ignored::Some { parent }
            | Ignored::NewtypeStruct { parent }
            | Ignored::NewtypeVariant { parent } => Key::from_ignored(parent),
        }
    }

    /// The same, as the library that reads the tree has it.
    pub fn from_failed(path: &Failed) -> Key {
        let parts = path.iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Part::Index(*index)),
            Segment::Map { key } => Some(Part::Name(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Key(parts.collect())
    }

    /// Whether it lies in this section.
    pub fn is_in(&self, section: &str) -> bool {
        matches!(self.0.first(), Some(Part::Name(name)) if name == section)
    }

    /// Whether its value is shown to nobody.
    pub fn is_secret(&self) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Name(name) if is_secret(name)))
    }

    /// The name that it ends with; empty where that is a number.
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
                Part::Name(name) if is_plain(name) => write!(f, "{dot}{name}")?,
                Part::Name(name) => write!(f, "{dot}{}", quoted(name))?,
            }
        }
        Ok(())
    }
}

/// Whether values under this name are shown to nobody.
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

fn is_plain(name: &str) -> bool {
    (1..=SHOWN_MAX_CHARS).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A text in quotes and in one line, cut where it is long.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
