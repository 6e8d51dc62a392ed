//! Positions in lists.

use serde::Serialize;

/// Position in a list at which a page ended. Only the backend that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cursor(pub(in crate::store) String);

impl Cursor {
    /// Returns what a caller says is a cursor; the list finds out if it is one of its own.
    pub fn from_caller(text: &str) -> Cursor {
        Cursor(text.to_owned())
    }
}
