//! Faults of a form's text.

use std::fmt;

/// Fault of a form: what cannot be read, or contradicts itself. It quotes no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFault {
    /// Line of the form, from 1; of what is missing, that of the table in which it should stand.
    pub line: usize,
    /// Path of the key; empty where the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl fmt::Display for FormFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.cure)
    }
}

impl std::error::Error for FormFault {}
