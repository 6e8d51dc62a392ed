//! Ids of orders, as people enter them.

use super::Id;

/// Returns the order's id that a person entered, or the reason why the text is none.
///
/// Sinch promises no form of an order's id, so this refuses only text that cannot be meant as an id: a fetch for it
/// would be useless.
///
/// # Errors
///
/// The reason why the text cannot be the id of an order.
pub fn entered(text: &str) -> Result<Id, &'static str> {
    let is_quote = |c| matches!(c, '"' | '\'' | '`');
    if is_telephone_number(text) {
        return Err("a telephone number; write the order's id, which the API calls idNumberOrder");
    }
    if text.starts_with('#') || text.starts_with("//") {
        return Err("a comment; take it out");
    }
    if text.starts_with(['[', ']', '{', '}']) || text == "null" {
        return Err("a JSON list or a part of one; write one id a line, or NDJSON");
    }
    if text.starts_with(is_quote) || text.ends_with(is_quote) {
        return Err("in quotes; take them off");
    }
    let form = "no order's id; write up to 128 visible ASCII characters, none of them a blank or one of \
                / \\ ? # % \" < > ^ ` { | }";
    Id::new(text).ok_or(form)
}

/// Returns `true` for a telephone number in international form. A number without its plus looks like any other id.
fn is_telephone_number(text: &str) -> bool {
    let Some(number) = text.strip_prefix("tel:").unwrap_or(text).strip_prefix('+') else {
        return false;
    };
    let mut digits = number.chars().filter(|c| !" -.()/".contains(*c)).peekable();
    digits.peek().is_some() && digits.all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_no_orders_id_is_refused_with_the_reason() {
        for (text, why) in [
            ("01kdvdnd42472bfxv9sfamm3kt", ""),
            ("2f1b0c1e-6a7c-4bd9-8d55-90c3f1c1e2aa", ""),
            ("46700000000", ""),
            ("a+b", ""),
            ("+", ""),
            ("order=1", ""),
            ("+1555", "a telephone number"),
            ("+46700000000", "a telephone number"),
            ("+46 (700) 00-00.00", "a telephone number"),
            ("tel:+46-700-000-000", "a telephone number"),
            ("# o1", "a comment"),
            ("#o1", "a comment"),
            ("// o1", "a comment"),
            ("'o1'", "in quotes"),
            ("\"o1", "in quotes"),
            ("[", "a JSON list"),
            ("]", "a JSON list"),
            ("[]", "a JSON list"),
            ("[\"o1\"", "a JSON list"),
            ("{", "a JSON list"),
            ("}", "a JSON list"),
            ("null", "a JSON list"),
            ("nulla", ""),
            ("o[1]", ""),
            ("", "no order's id"),
            ("a/b", "no order's id"),
            ("two words", "no order's id"),
            ("o1\u{200b}", "no order's id"),
            ("..", "no order's id"),
            (&"x".repeat(129), "no order's id"),
        ] {
            let read = entered(text);
            if why.is_empty() {
                assert_eq!(read.as_ref().map(Id::as_str), Ok(text));
            } else {
                let found = read.expect_err(text);
                assert!(found.starts_with(why), "{text:?}: {found}");
            }
        }
    }
}
