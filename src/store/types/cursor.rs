//! Positions in lists that are read page by page.

use serde::Serialize;
use utoipa::ToSchema;

/// Position in a list at which a page ended. Only the backend that made the cursor can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Cursor(pub(in crate::store) String);

impl Cursor {
    /// Returns the text that a caller sent as a cursor; the list finds out if the cursor is one of its own.
    pub fn from_caller(text: &str) -> Cursor {
        Cursor(text.to_owned())
    }
}
