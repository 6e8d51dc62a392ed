//! Texts of others as a terminal can show them, and as JSON that does a terminal no harm.
//!
//! A text of Sinch's may hold characters that a terminal obeys. They are never written to it.

use std::ffi::OsString;

/// Maximum number of characters of an argument that a failure names, or of an answer that is none of the service.
const SHORT_MAX_CHARS: usize = 100;

/// Returns the text on one line, with a blank in place of each character that a terminal obeys.
pub(super) fn line(text: &str) -> String {
    let visible = |char: char| if is_obeyed(char) { ' ' } else { char };
    text.chars().map(visible).collect()
}

/// Returns the text with its lines, with a blank in place of every other character that a terminal obeys.
pub(super) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n")
}

/// Returns the text on one line as [`line`] does, cut off where it is long: an argument, or what another program answers, may
/// have any length.
pub(super) fn short(text: &str) -> String {
    let (start, cut) = cut(text);
    format!("{}{cut}", line(start))
}

/// Returns the text in quotes, on one line, and cut off where it is long. What a terminal obeys is written as an escape.
pub(super) fn quoted(text: &str) -> String {
    let (start, cut) = cut(text);
    format!("{start:?}{cut}")
}

/// Returns the beginning of a text, and an ellipsis if more follows.
fn cut(text: &str) -> (&str, &str) {
    match text.char_indices().nth(SHORT_MAX_CHARS) {
        Some((end, _)) => (&text[..end], "…"),
        None => (text, ""),
    }
}

/// Returns the same JSON value, with each character that a terminal obeys written as an escape. Line breaks between the
/// parts of the value stay.
pub(super) fn json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        if is_obeyed(char) && !char.is_ascii_whitespace() {
            safe.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Returns a command line, quoted as a shell reads it.
pub(super) fn command(arguments: impl Iterator<Item = OsString>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    let quoted = arguments.map(|argument| {
        let text = line(&argument.to_string_lossy());
        if !text.is_empty() && text.chars().all(is_plain) {
            return text;
        }
        format!("'{}'", text.replace('\'', "'\\''"))
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Returns `true` for a character that a terminal obeys: a control character, or one that changes the direction of the
/// text after it.
fn is_obeyed(char: char) -> bool {
    let turns =
        matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || turns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let text = "a\u{1b}[31mb\u{9b}2Jc\u{7f}\u{202e}d\te\r\nf";
        assert_eq!(line(text), "a [31mb 2Jc  d e  f");
        assert_eq!(lines(text), "a [31mb 2Jc  d e\nf");
        assert_eq!(lines("é → 電\n\nx\n"), "é → 電\n\nx");
    }

    #[test]
    fn a_long_text_is_cut_off() {
        let fits = "é".repeat(SHORT_MAX_CHARS);
        assert_eq!(short(&fits), fits);
        assert_eq!(short(&format!("{fits}é")), format!("{fits}…"));
        assert_eq!(quoted(&format!("{fits}é")), format!("\"{fits}\"…"));
        assert_eq!(quoted("a\u{1b}\n\"b"), r#""a\u{1b}\n\"b""#);
    }

    #[test]
    fn json_keeps_its_value_and_its_lines() {
        let text = "{\n  \"a\u{9b}\": \"\u{7f}\u{202e}é\"\n}";
        assert_eq!(json(text), "{\n  \"a\\u009b\": \"\\u007f\\u202eé\"\n}");
    }

    #[test]
    fn a_command_is_quoted_where_a_shell_would_split_it() {
        let arguments = ["sinch-callbacks", "--config", "my form.toml", "", "it's"];
        let command = command(arguments.iter().map(OsString::from));
        assert_eq!(
            command,
            r"sinch-callbacks --config 'my form.toml' '' 'it'\''s'"
        );
    }

    proptest! {
        #[test]
        fn json_means_the_same(text in any::<String>()) {
            let written = serde_json::to_string(&text).expect("JSON");
            let safe = json(&written);
            prop_assert!(!safe.contains(is_obeyed));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).expect("JSON"), text);
        }
    }
}
