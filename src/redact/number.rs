//! Telephone numbers, in any notation: they are personal data, and stay out of the log.

use std::borrow::Cow;
use std::ops::Range;

/// Minimum number of digits in a telephone number. With fewer digits no person can be called.
const DIGITS_MIN: usize = 7;

/// Text that replaces a telephone number in the log.
const MASK: &str = "(a number)";

/// Returns the text with every telephone number redacted.
///
/// A telephone number is a row of seven digits or more, which blanks, dashes, dots, slashes or brackets may divide. A
/// row that a letter touches is part of a word, as in an id or in the time `…-28T11:…`. A row after a plus is a number
/// even if a letter touches it. The digits of a UUID are not a number.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let digits = text.chars().filter(|char| char.is_numeric()).count();
    if digits < DIGITS_MIN {
        return Cow::Borrowed(text);
    }
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut shown = String::new();
    let mut kept_to = 0;
    let mut at = 0;
    while at < chars.len() {
        match number_at(&chars, at) {
            Some(number) if !is_uuid(&chars, &number) => {
                shown.push_str(&text[kept_to..chars[number.start].0]);
                shown.push_str(MASK);
                at = number.end;
                kept_to = chars.get(at).map_or(text.len(), |(byte, _)| *byte);
            }
            Some(uuid) => at = uuid.end,
            None => at += 1,
        }
    }
    if kept_to == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[kept_to..]);
    Cow::Owned(shown)
}

/// Returns the place of the telephone number that begins at `start`, if one does.
fn number_at(chars: &[(usize, char)], start: usize) -> Option<Range<usize>> {
    let char = |at: usize| chars.get(at).map(|(_, char)| *char);
    let touched = |at: usize| char(at).is_some_and(char::is_alphanumeric);
    let first = char(start)?;
    let is_marked = first == '+';
    let begins = is_marked || first == '(' || first.is_numeric();
    if !begins || (!is_marked && start > 0 && touched(start - 1)) {
        return None;
    }
    let row = chars[start..].iter();
    let row = row.take_while(|(_, char)| char.is_numeric() || divides_digits(*char));
    let mut digits = 0;
    let mut number = None;
    for at in (start..).take(row.count()) {
        if char(at).is_some_and(char::is_numeric) {
            digits += 1;
            if digits >= DIGITS_MIN && (is_marked || !touched(at + 1)) {
                number = Some(start..at + 1);
            }
        }
    }
    number
}

/// Returns `true` for a character that people put between a number's digits.
fn divides_digits(char: char) -> bool {
    let dash = matches!(char, '\u{2010}'..='\u{2015}' | '\u{2212}');
    dash || char.is_whitespace() || "+-.()/_~*".contains(char)
}

/// Returns `true` if digits that look like a telephone number belong to a UUID: hexadecimal, in groups of 8, 4, 4, 4
/// and 12.
fn is_uuid(chars: &[(usize, char)], digits: &Range<usize>) -> bool {
    let in_word = |(_, char): &&(usize, char)| char.is_ascii_alphanumeric() || *char == '-';
    let before = chars[..digits.start].iter().rev().take_while(in_word);
    let after = chars[digits.start..].iter().take_while(in_word);
    let (before, after) = (before.count(), after.count());
    let word = &chars[digits.start - before..digits.start + after];
    word.len() == 36
        && word.iter().enumerate().all(|(at, (_, char))| match at {
            8 | 13 | 18 | 23 => *char == '-',
            _ => char.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert_eq!(redacted("x+46700000000T1"), format!("x{MASK}T1"));
    }

    #[test]
    fn what_is_no_number_is_shown() {
        for text in [
            "",
            "123456",
            "01kdvdnat93tena1kxmeg4rd87",
            "12345678-1234-4234-8234-123456789abc",
            "order 12345678-1234-4234-8234-123456789012, and another",
            "known since 2026-11-28T11:35:40.933794Z",
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

        #[test]
        fn nothing_makes_it_fail(text in any::<String>()) {
            let shown = redacted(&text);
            prop_assert_eq!(redacted(&shown), shown.as_ref());
        }
    }
}
