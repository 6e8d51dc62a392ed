//! Causes of failures, in the words of the system or a library.

use std::fmt::Display;

/// Maximum number of characters of a cause that is kept.
const CAUSE_MAX_CHARS: usize = 200;

/// Returns a cause as the system or a library names it, cut, and without control characters: names in a certificate are
/// text from outside.
pub(super) fn cause(error: &(impl Display + ?Sized)) -> String {
    let text = error.to_string();
    let shown = text.chars().filter(|char| !char.is_control());
    shown.take(CAUSE_MAX_CHARS).collect()
}
