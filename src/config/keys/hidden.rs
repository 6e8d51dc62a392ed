//! Doubts about values that are never shown, such as secrets.
//!
//! A value with a form, such as a number, is refused if it has another form. A secret has none, so a mistake of an
//! editor or of an env file becomes part of it, and nothing shows why no signature is valid.
//!
//! A value with a form, such as a number, is refused if it has another form. A secret has none, so a mistake of an
//! editor or of an env file becomes part of it, and nothing shows why no signature is valid.

use std::ops::RangeInclusive;

/// Text in the example and in the documents that each operator must replace by a secret.
const PLACEHOLDER: &str = "replace-me";
/// Length that Sinch documents for a new callback secret. Older secrets in use may have another.
const SIGNING_CHARS: RangeInclusive<usize> = 32..=64;
/// Minimum length of an access key's secret. Sinch documents none; a shorter secret is probably incomplete.
const KEY_MIN_CHARS: usize = 16;

/// Purpose of a value that is never shown, on which the doubts about it depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Secret with which Sinch signs callbacks.
    Signing,
    /// Secret of an access key.
    Key,
    /// Any other value that is never shown, whose length is checked elsewhere or not at all.
    Other,
}

/// Returns `true` if a secret consists only of what may surround it by mistake, such as quotes and blanks. Anybody
/// could guess such a key.
pub fn is_empty(value: &str) -> bool {
    without_edges(value).is_empty()
}

/// Returns what is wrong with a secret that only stands in place of one, with the remedy; `None` for any other.
pub fn stand_in(value: &str) -> Option<&'static str> {
    let core = without_edges(value);
    let dots = |c| c == '.' || c == '…';
    if !core.is_empty() && core.chars().all(dots) {
        return Some("dots only stand in place of a value; write the value itself");
    }
    let is_placeholder = core.to_ascii_lowercase().starts_with(PLACEHOLDER);
    is_placeholder.then_some("still the example's, which everybody knows; replace it")
}

fn without_edges(value: &str) -> &str {
    value.trim_matches(|c| is_quote(c) || c.is_whitespace() || odd_character(c).is_some())
}

/// Describes what is probably a mistake in a secret, with the remedy, and without the secret itself.
pub fn doubts(value: &str, kind: Kind) -> Vec<String> {
    let edges = edge_doubt(value).map(|seen| {
        format!(
            "{seen}; env files and secret files keep it: take it out unless it belongs to the value"
        )
    });
    let inside = inner_doubt(value)
        .map(|seen| format!("holds {seen}; type the value anew, or copy it as plain text"));
    let form = form_doubt(value).map(str::to_owned);
    let length = length_doubt(value, kind).map(str::to_owned);
    edges
        .into_iter()
        .chain(inside)
        .chain(form)
        .chain(length)
        .collect()
}

/// Describes quotes and blanks around a secret.
fn edge_doubt(value: &str) -> Option<String> {
    let name = |c: char| match c {
        ' ' => Some("a blank"),
        _ if is_quote(c) => Some("a quotation mark"),
        _ => odd_character(c),
    };
    let [first, last] = [value.chars().next(), value.chars().last()].map(|c| c.and_then(name));
    match (first, last) {
        (Some(first), Some(last)) if first == last => Some(format!("begins and ends with {first}")),
        (Some(first), Some(last)) => Some(format!("begins with {first} and ends with {last}")),
        (Some(first), None) => Some(format!("begins with {first}")),
        (None, Some(last)) => Some(format!("ends with {last}")),
        (None, None) => None,
    }
}

/// Describes a character inside a secret that an operator does not type.
fn inner_doubt(value: &str) -> Option<&'static str> {
    let mut chars = value.chars();
    chars.next();
    chars.next_back();
    chars.find_map(odd_character)
}

fn is_quote(c: char) -> bool {
    "\"'`´‘’‚‛“”„‟«»".contains(c)
}

/// Returns the name of a character that is invisible or easily mistaken for another; `None` for any other.
fn odd_character(c: char) -> Option<&'static str> {
    match c {
        ' ' => None,
        '\t' => Some("a tab"),
        '\r' => Some("a carriage return"),
        '\n' => Some("a line break"),
        '\u{a0}' | '\u{202f}' => Some("a no-break space"),
        '\u{feff}' => Some("a byte order mark"),
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Some("a character that cannot be seen"),
        '\u{fffd}' => Some("the sign for a character that could not be read"),
        _ if c.is_whitespace() => Some("an unusual blank"),
        _ if c.is_control() => Some("a control character"),
        _ => None,
    }
}

/// Describes a secret that looks like a whole line or list.
fn form_doubt(value: &str) -> Option<&'static str> {
    let core = without_edges(value);
    if core.starts_with('#') {
        return Some(
            "begins with #, but no comments are known here; take the line out unless it is the value",
        );
    }
    let mut chars = core.chars().zip(core.chars().skip(1));
    if chars.any(|(blank, sign)| blank.is_whitespace() && sign == '#') {
        return Some(
            "holds a blank and #, but no comments are known behind a value; take the comment out",
        );
    }
    let brackets = [('[', ']'), ('{', '}')];
    if brackets
        .iter()
        .any(|(open, close)| core.starts_with(*open) && core.ends_with(*close))
    {
        return Some(
            "stands in brackets, as a list does; write the value alone, of several each in its own line",
        );
    }
    is_assignment(core).then_some("looks like NAME=value; write the value alone")
}

/// Returns `true` for a text that consists of a name, `=` or `: `, and a value. Padding of base64 does not count as a
/// value.
fn is_assignment(core: &str) -> bool {
    let core = core.strip_prefix("export ").unwrap_or(core);
    let Some((name, value)) = core.split_once('=').or_else(|| core.split_once(": ")) else {
        return false;
    };
    let name = name.trim().trim_matches(is_quote);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name && !value.trim_matches('=').is_empty()
}

fn length_doubt(value: &str, kind: Kind) -> Option<&'static str> {
    let chars = value.chars().count();
    match kind {
        Kind::Signing if chars < *SIGNING_CHARS.start() => Some(
            "shorter than the 32 characters that Sinch documents for a new secret; is it whole?",
        ),
        Kind::Signing if chars > *SIGNING_CHARS.end() => {
            Some("longer than the 64 characters that Sinch documents for a new secret; is it one?")
        }
        Kind::Key if chars < KEY_MIN_CHARS => Some("shorter than 16 characters; is it whole?"),
        Kind::Signing | Kind::Key | Kind::Other => None,
    }
}
