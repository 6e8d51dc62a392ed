//! Rules for the log's content: no telephone number, figures as JSON numbers, and no line again and again.

mod escapes;
mod number;
mod throttle;

pub use number::redacted;
pub use throttle::Throttle;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// Maximum length, in characters, of a peer's text that the log quotes.
const PEER_TEXT_MAX_CHARS: usize = 64;

/// Maximum length, in characters, of what a command has said that the log quotes.
const OUTPUT_TEXT_MAX_CHARS: usize = 400;

/// Returns a duration in whole milliseconds, as the log has it. `Duration::as_millis` gives a type that the log would
/// write as text, which no monitoring can compare.
pub fn millis(span: Duration) -> u64 {
    let millis = span.as_secs().saturating_mul(1000);
    millis.saturating_add(span.subsec_millis().into())
}

/// Returns a peer's text, fit to be quoted in the log: without telephone numbers, cut, and with everything escaped that
/// a terminal could obey.
pub fn peer_text(text: &str) -> String {
    quoted(text, PEER_TEXT_MAX_CHARS)
}

/// Returns what a command of the operator's has said, in the same form.
pub fn output_text(text: &str) -> String {
    quoted(text.trim(), OUTPUT_TEXT_MAX_CHARS)
}

fn quoted(text: &str, max_chars: usize) -> String {
    let redacted = redacted(text);
    let mut chars = redacted.chars();
    let quoted: String = chars.by_ref().take(max_chars).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    let escaped: String = quoted
        .chars()
        .flat_map(|char| {
            let plain = char.is_ascii_graphic() || char == ' ';
            let escaped = (!plain).then(|| char.escape_default());
            escaped.into_iter().flatten().chain(plain.then_some(char))
        })
        .collect();
    format!("{escaped}{more}")
}

/// Returns a request's path, fit to be quoted in the log. A number in it may be percent-encoded, even more than once.
pub fn path(path: &str) -> String {
    let mut once = String::with_capacity(path.len());
    for char in path.chars() {
        once.push(char);
        // The percent sign of an encoding that was encoded again.
        if once.ends_with("%25") {
            once.truncate(once.len() - 2);
        }
    }
    let decoded = percent_decode_str(&once).decode_utf8_lossy();
    match redacted(&decoded) {
        Cow::Owned(redacted) => peer_text(&redacted),
        Cow::Borrowed(_) => peer_text(path),
    }
}

/// Number of log lines that no reader took in time.
static LINES_DROPPED: AtomicU64 = AtomicU64::new(0);

/// Counts lines that the log had to drop.
pub fn drop_lines(lines: u64) {
    LINES_DROPPED.fetch_add(lines, Relaxed);
}

/// Returns the number of lines that the log has dropped since the start, because its reader was too slow.
pub fn lines_dropped() -> u64 {
    LINES_DROPPED.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_however_long_it_is() {
        for (span, number) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(1999), 1),
            (Duration::from_secs(3), 3000),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(millis(span), number);
        }
    }

    #[test]
    fn a_peers_text_is_quoted_harmlessly() {
        let long = "x".repeat(65);
        for (text, quoted) in [
            ("/callbacks", "/callbacks"),
            ("/a b", "/a b"),
            ("\u{1b}[31m\n", "\\u{1b}[31m\\n"),
            ("ü\u{202e}", "\\u{fc}\\u{202e}"),
            ("/orders/+46700000000", "/orders/(a number)"),
            (&long, &format!("{}…", &long[..64])),
        ] {
            assert_eq!(peer_text(text), quoted);
        }
    }

    #[test]
    fn no_encoding_of_a_path_shows_a_number() {
        for (asked, quoted) in [
            ("/%63allbacks", "/%63allbacks"),
            ("/a%1b", "/a%1b"),
            ("/%2B46700000000", "/(a number)"),
            ("/%252B46700000000", "/(a number)"),
            ("/%25252B46700000000/x", "/(a number)/x"),
            ("/%2534%2536%2537%2530%2530%2530%2530%2530", "/(a number)"),
            ("/46%20700%20000%20000/x", "/(a number)/x"),
            ("/%34%36%37%30%30%30%30%30", "/(a number)"),
        ] {
            assert_eq!(path(asked), quoted);
        }
    }
}
