//! Values that the rules of an order allow, in words.

use serde_json::Value;

use crate::place::{escaped, toml_text};

/// Returns JSON values as they are written in a form, with commas between them.
pub(crate) fn in_words(choices: &[Value]) -> String {
    let written = |choice: &Value| match choice {
        Value::String(text) => toml_text(text),
        other => escaped(&other.to_string()),
    };
    choices.iter().map(written).collect::<Vec<_>>().join(", ")
}

/// Returns the texts as they are written in a form, with commas between them.
pub(crate) fn texts_in_words<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let written = texts.into_iter().map(|text| toml_text(text));
    written.collect::<Vec<_>>().join(", ")
}
