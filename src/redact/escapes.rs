//! Characters that the escapes in a text stand for: the escapes of Rust and of JSON, and the percent-encoding of URLs.

/// Replacement for an escaped byte of a longer character. It may divide the digits of a telephone number, as a blank
/// may.
const UNKNOWN: char = '\u{fffd}';

/// Maximum number of rounds in which escapes of escapes are resolved, so that no text takes a long time.
const TIMES_MAX: usize = 8;

/// Returns the characters of the text with all escapes resolved, each with the offset of its first byte in the text. An
/// escape is one character; so is an escape that was escaped again.
pub(super) fn resolved(text: &str) -> Vec<(usize, char)> {
    let mut chars = unescaped(text);
    for _ in 1..TIMES_MAX {
        let meant = chars.iter().map(|(_, char)| *char).collect::<String>();
        let again = unescaped(&meant);
        if again.len() == chars.len() {
            break;
        }
        let mut places = meant.char_indices().zip(chars);
        let in_text = |(byte, char)| {
            let (_, (at, _)) = places.find(|((place, _), _)| *place == byte)?;
            Some((at, char))
        };
        chars = again.into_iter().filter_map(in_text).collect();
    }
    chars
}

/// Returns the characters of the text, each with the offset of its first byte; resolves only one level of escapes.
fn unescaped(text: &str) -> Vec<(usize, char)> {
    let mut chars = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let escape = match first {
            '\\' => Some(escaped(rest)),
            '%' => percent_encoded(rest),
            _ => None,
        };
        let (char, length) = escape.unwrap_or((first, first.len_utf8()));
        chars.push((at, char));
        at += length;
    }
    chars
}

/// Returns the character that the text's leading backslashes and the escape after them stand for, and the length of
/// both in bytes. Backslashes without an escape are one backslash.
fn escaped(text: &str) -> (char, usize) {
    let escape = text.trim_start_matches('\\');
    let slashes = text.len() - escape.len();
    let (char, length) = escape_char(escape).unwrap_or(('\\', 0));
    (char, slashes + length)
}

fn escape_char(escape: &str) -> Option<(char, usize)> {
    Some(match escape.chars().next()? {
        't' => ('\t', 1),
        'n' => ('\n', 1),
        'r' => ('\r', 1),
        'b' | 'f' | '0' => ('\0', 1),
        quote @ ('"' | '\'') => (quote, 1),
        'x' => (char_with_code(escape.get(1..3)?)?, 3),
        'u' if escape.starts_with("u{") => {
            let mut bytes = escape.bytes().take("u{10ffff}".len());
            let end = bytes.position(|byte| byte == b'}')?;
            (char_with_code(escape.get(2..end)?)?, end + 1)
        }
        'u' => (char_with_code(escape.get(1..5)?)?, 5),
        _ => return None,
    })
}

/// Returns the character that a leading percent-encoded byte stands for, and the length of its encoding in bytes; also
/// where it was encoded twice, such as `%252B`.
fn percent_encoded(text: &str) -> Option<(char, usize)> {
    let mut digits = text.strip_prefix('%')?;
    while let Some(again) = digits
        .strip_prefix("25")
        .filter(|rest| hex(rest.get(..2)).is_some())
    {
        digits = again;
    }
    let byte = hex(digits.get(..2))?;
    let char = char::from_u32(byte).filter(char::is_ascii);
    Some((char.unwrap_or(UNKNOWN), text.len() - digits.len() + 2))
}

/// Returns the character with the hexadecimal code; [`UNKNOWN`] for a code without a character, such as half a
/// surrogate pair.
fn char_with_code(digits: &str) -> Option<char> {
    let code = hex(Some(digits))?;
    Some(char::from_u32(code).unwrap_or(UNKNOWN))
}

fn hex(digits: Option<&str>) -> Option<u32> {
    // Rust's own reader takes a plus, too.
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_one_character() {
        for (text, meant) in [
            ("aé\u{200b}", "aé\u{200b}"),
            (r"\t\n\r\x2b\u{2b}\u002b\0\'", "\t\n\r+++\0'"),
            (r"\\t\\\u{2b}", "\t+"),
            (r"\7\", r"\7\"),
            (r"\u{2b\u2\xé\u{}", r"\u{2b\u2\xé\u{}"),
            (r"\ud83d\u{11ffff}", "\u{fffd}\u{fffd}"),
            ("%2B%252b%25252B%25", "+++%"),
            ("%5Ct%255C%2574%5c%5cn", "\t\t\n"),
            ("%E2%2%", "\u{fffd}%2%"),
        ] {
            let chars = resolved(text).into_iter();
            assert_eq!(
                chars.map(|(_, char)| char).collect::<String>(),
                meant,
                "{text}"
            );
        }
        assert_eq!(resolved("é%255Ctx"), [(0, 'é'), (2, '\t'), (8, 'x')]);
    }
}
