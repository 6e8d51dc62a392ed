//! Telephone numbers, in any notation: they are personal data, and stay out of the log.

use std::borrow::Cow;
use std::ops::Range;

use super::escapes;

/// Minimum number of digits in a telephone number. With fewer digits no person can be called.
const DIGITS_MIN: usize = 7;

/// Text that replaces a telephone number in the log.
const MASK: &str = "(a number)";

/// Maximum number of digits in a telephone number, by E.164.
const DIGITS_MAX: usize = 15;
/// Minimum length of a word that is an id although it holds many digits.
const ID_MIN_CHARS: usize = 16;
/// Minimum number of letters in such an id. An id with fewer has more digits than a number.
const ID_MIN_LETTERS: usize = 4;

/// Returns the text with every telephone number redacted.
///
/// A telephone number is a row of seven digits or more, which blanks, dashes, dots, commas, slashes, brackets or
/// characters that nobody sees may divide, also where the text has them escaped or percent-encoded. It may touch
/// letters. The digits of an id, of a UUID and of a time such as `2026-11-28T11:35:40Z` are not a number, unless it
/// begins with a plus.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let digits = text.chars().filter(|char| char.is_numeric()).count();
    if digits < DIGITS_MIN {
        return Cow::Borrowed(text);
    }
    let chars = escapes::resolved(text);
    let kept = kept(&chars);
    let mut shown = String::new();
    let mut kept_to = 0;
    let mut at = 0;
    while at < chars.len() {
        match number_at(&chars, &kept, at) {
            Ok(number) => {
                shown.push_str(&text[kept_to..chars[number.start].0]);
                shown.push_str(MASK);
                at = number.end;
                kept_to = chars.get(at).map_or(text.len(), |(byte, _)| *byte);
            }
            Err(next) => at = next,
        }
    }
    if kept_to == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[kept_to..]);
    Cow::Owned(shown)
}

/// Returns the place of the telephone number that begins at `start`, or the next place at which one can begin. `kept`
/// says which characters belong to something else.
fn number_at(chars: &[(usize, char)], kept: &[bool], start: usize) -> Result<Range<usize>, usize> {
    let (_, first) = chars[start];
    let is_marked = first == '+';
    let begins = is_marked || first == '(' || first.is_numeric();
    if !begins || kept[start] {
        return Err(start + 1);
    }
    let row = chars[start..].iter().map(|(_, char)| *char);
    let row = row.take_while(|char| char.is_numeric() || divides_digits(*char));
    let (mut digits, mut end, mut number, mut plus) = (0, start, None, None);
    for char in row {
        if char.is_numeric() {
            digits += 1;
            if digits >= DIGITS_MIN && (is_marked || !kept[end]) {
                number = Some(start..end + 1);
            }
        } else if char == '+' && end > start {
            plus = plus.or(Some(end));
        }
        end += 1;
    }
    // Behind this start the row has no more digits than from here, but behind a plus they all count.
    let next = plus.filter(|_| !is_marked).unwrap_or(end);
    number.ok_or(next)
}

/// Returns `true` for a character that people put between a number's digits, or that is not seen there.
fn divides_digits(char: char) -> bool {
    if char.is_ascii_graphic() {
        "+-.,()/_~*\\".contains(char)
    } else {
        !char.is_alphanumeric()
    }
}

/// Returns for each character whether it belongs to an id, a UUID or a time.
fn kept(chars: &[(usize, char)]) -> Vec<bool> {
    let mut kept = vec![false; chars.len()];
    let mut keep = |range: Range<usize>| kept[range].fill(true);
    for word in words(chars, char::is_alphanumeric) {
        if is_id(chars, &word) {
            keep(word);
        }
    }
    for word in words(chars, |char| char.is_ascii_alphanumeric() || char == '-') {
        if is_uuid(&chars[word.clone()]) {
            keep(word);
        }
    }
    for at in 0..chars.len() {
        let is_inside = at > 0 && chars[at - 1].1.is_alphanumeric();
        if let Some(length) = time_length(&chars[at..]).filter(|_| !is_inside) {
            keep(at..at + length);
        }
    }
    kept
}

/// Returns the longest rows of characters that belong to a word.
fn words(
    chars: &[(usize, char)],
    is_part: impl Fn(char) -> bool + Copy,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let parts = chars.chunk_by(move |(_, a), (_, b)| is_part(*a) == is_part(*b));
    parts.filter_map(move |part| {
        let range = at..at + part.len();
        at = range.end;
        part.first()
            .is_some_and(|(_, char)| is_part(*char))
            .then_some(range)
    })
}

/// Returns `true` if the word is an id: it is long, and has more letters than what touches a number by chance, or more
/// digits than any number.
fn is_id(chars: &[(usize, char)], word: &Range<usize>) -> bool {
    let is_marked = word.start > 0 && chars[word.start - 1].1 == '+';
    let word = &chars[word.clone()];
    let is_plain = word.iter().all(|(_, char)| char.is_ascii_alphanumeric());
    let letters = word.iter().filter(|(_, char)| char.is_alphabetic()).count();
    let is_letters = letters >= ID_MIN_LETTERS || letters > 0 && word.len() - letters > DIGITS_MAX;
    !is_marked && is_plain && word.len() >= ID_MIN_CHARS && is_letters
}

/// Returns `true` if the word is a UUID: hexadecimal, in groups of 8, 4, 4, 4 and 12.
fn is_uuid(word: &[(usize, char)]) -> bool {
    word.len() == 36
        && word.iter().enumerate().all(|(at, (_, char))| match at {
            8 | 13 | 18 | 23 => *char == '-',
            _ => char.is_ascii_hexdigit(),
        })
}

/// Returns the length of the time of RFC 3339 with which the text begins, without its zone.
fn time_length(text: &[(usize, char)]) -> Option<usize> {
    let form = "0000-00-00T00:00:00";
    let mut places = form.chars().zip(text);
    let is_time = places.all(|(place, (_, char))| match place {
        '0' => char.is_ascii_digit(),
        _ => *char == place,
    });
    let rest = text.get(form.len()..).filter(|_| is_time)?;
    let fraction = rest.iter().enumerate();
    let fraction = fraction.take_while(|(at, (_, char))| match at {
        0 => *char == '.',
        1..=9 => char.is_ascii_digit(),
        _ => false,
    });
    Some(form.len() + fraction.count())
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    /// Returns `true` if more than four digits are left in a row, of which escapes are no part.
    fn has_digits(shown: &str) -> bool {
        let chars = escapes::resolved(shown);
        chars
            .chunk_by(|(_, a), (_, b)| a.is_numeric() && b.is_numeric())
            .any(|row| row.len() > 4)
    }

    #[test]
    fn a_number_is_left_out_in_every_notation() {
        for number in [
            "+46700000000",
            "46700000000",
            "0046700000000",
            "+46-700-000-000",
            "+46 (0)700 000 000",
            "(0700) 000 000",
            "0700.000.000",
            "0700/000000",
            "0700 - 000 000",
            "46\u{a0}700\u{2009}000\u{2011}000",
            "７００００００",
            "1234567",
            "46,700,000,011",
            "+46\u{200b}700\u{feff}000\u{ad}010",
            "46\t700\r\n000\u{0}010",
            r"46\t700\r\n000\u{200b}010",
            r"46\\t700\\\\u200b000\u00a0010",
            r"+46\700\000\010",
            "%2B46%20700%2520000%E2%80%8B010",
            "%252B46700000012",
        ] {
            assert_eq!(redacted(number), MASK, "{number}");
            for (before, after) in [
                ("tel:", ""),
                ("sip:", "@example.com"),
                ("about \"", "\", not a number order"),
                ("order-", ""),
                ("event:", ":1"),
                ("/", "/again"),
            ] {
                let text = format!("{before}{number}{after}");
                assert_eq!(redacted(&text), format!("{before}{MASK}{after}"), "{text}");
            }
        }
        assert_eq!(
            redacted("from +46700000000 to 46700000001."),
            format!("from {MASK} to {MASK}.")
        );
    }

    #[test]
    fn a_number_may_touch_letters() {
        for (text, shown) in [
            ("x+46700000000T1", "x(a number)T1"),
            ("46700000009x", "(a number)x"),
            ("x46700000009", "x(a number)"),
            ("467000000091234xyz", "(a number)xyz"),
            (r#""\t46700000001""#, r#""\t(a number)""#),
            (r#""\\n46700000001\\r""#, r#""\\n(a number)\\r""#),
            (
                r#""\u{200b}46700000001\u{200b}""#,
                r#""\u{200b}(a number)\u{200b}""#,
            ),
            (
                "46700000001 at 2026-11-28T11:35:40Z of 01kdvdnat93tena1kxmeg4rd87",
                "(a number) at 2026-11-28T11:35:40Z of 01kdvdnat93tena1kxmeg4rd87",
            ),
            // Nothing after a plus is an id.
            (
                "+1234567a7654321bbbbbbbbb",
                "(a number)a(a number)bbbbbbbbb",
            ),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn a_long_text_takes_no_long_time() {
        for (part, end) in [
            ("(", ""),
            ("( ", "1234567abcdefghijk"),
            ("+", ""),
            ("1a", ""),
            ("%25", ""),
            ("\\", ""),
        ] {
            let text = format!("1234567 {}{end}", part.repeat(100_000));
            assert!(redacted(&text).starts_with(MASK));
        }
    }

    #[test]
    fn what_is_no_number_is_shown() {
        for text in [
            "",
            "123456",
            "01kdvdnat93tena1kxmeg4rd87",
            "12345678-1234-4234-8234-123456789abc",
            "order 12345678-1234-4234-8234-123456789012, and another",
            "01KDVDNAT93TENA1KXMEG4RD87",
            "01k0000000000000000000000a",
            "sha256:00112233445566778899aabbccddeeff",
            "known since 2026-11-28T11:35:40.933794Z",
            "until 2026-11-28T11:35:40+01:00, and 2026-11-28T11:35:40",
            "at:2026-11-28T11:35:40Z",
            "attempts 12, 3, 404 and 5",
            "next in 86396 s; the answer (404) is not usable",
            "sha1:0123456789abcdef",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_division_shows_a_number(
            groups in proptest::collection::vec("[0-9]{1,4}", 7..12),
            divisions in proptest::collection::vec("[-+ .()/_~*\u{a0}\u{2013}]{0,3}", 12),
            before in "([a-z]{0,5}[:/\" ])?[+(]?",
            after in "([:/\" ,][a-z]{0,5})?",
        ) {
            let divided = groups.iter().zip(&divisions).map(|(group, division)| format!("{group}{division}"));
            let number = divided.collect::<String>();
            let text = format!("{before}{number}{after}");
            let shown = redacted(&text);
            prop_assert!(!shown.chars().any(|char| char.is_numeric()), "{text:?}: {shown:?}");
        }

        /// Tests what the program's texts do with what others send: Rust's escapes, JSON's, and those of URLs, once or
        /// more often, with letters before and after.
        #[test]
        fn no_escape_shows_a_number(
            digits in "[0-9]{7,15}",
            divisions in proptest::collection::vec("[-+ ,./\t\r\n\u{0}\u{a0}\u{200b}\u{2060}\u{feff}]{0,2}", 15),
            around in ("[\t\r\nx\u{200b}]?", "[\t\r\nx\u{200b}]?"),
            escapes in proptest::collection::vec(0..3, 0..3),
        ) {
            let divided = digits.chars().zip(&divisions).map(|(digit, division)| format!("{digit}{division}"));
            let number = divided.collect::<String>();
            let mut text = format!("{}{number}{}", around.0, around.1);
            for escape in escapes {
                text = match escape {
                    0 => format!("{text:?}"),
                    1 => serde_json::to_string(&text).expect("a text"),
                    _ => utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(),
                };
            }
            let shown = [redacted(&text).into_owned(), crate::redact::peer_text(&text), crate::redact::path(&text)];
            for shown in shown {
                prop_assert!(!has_digits(&shown), "{text:?}: {shown:?}");
            }
        }

        #[test]
        fn nothing_makes_it_fail(text in any::<String>()) {
            let shown = redacted(&text);
            prop_assert_eq!(redacted(&shown), shown.as_ref());
        }
    }
}
