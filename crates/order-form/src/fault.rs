//! Faults of a form's text.

use std::fmt;

/// Fault of a form: what cannot be read, or contradicts itself. It quotes no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFault {
    /// Line of the form, from 1; of a missing key, that of the table in which it should stand.
    pub line: usize,
    /// Path of the key that is at fault; empty where the text is no TOML.
    pub key: String,
    /// Fault of the form, in words.
    pub what: String,
    /// Cure of the fault, in words, for the person who fills in the form.
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
