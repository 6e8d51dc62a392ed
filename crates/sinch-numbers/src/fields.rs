//! Reads the properties of a JSON object that are used, each by itself.
//!
//! A property is taken as it stands in the text first and interpreted afterwards. So one that cannot be interpreted (a
//! number out of range, a hundred nested arrays, half a surrogate pair) spoils neither the others nor the whole. If a
//! property occurs twice, the last one counts.

use std::borrow::Cow;
use std::fmt;

use number_order::NotUnderstood;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Maximum number of bytes of a text that an excerpt shows.
const EXCERPT_BYTES: usize = 32;

/// A property. Absent, `null` and `""` mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// The property is absent, `null` or `""`.
    #[default]
    Absent,
    /// A string that is not empty.
    Text(Cow<'a, str>),
    /// A string whose escapes give no Unicode text, as it stands in the body.
    Garbled(&'a str),
    /// A number, `true`, `false`, an array or an object, as it stands in the body.
    Other(&'a str),
}

impl<'a> Field<'a> {
    fn of(raw: &'a str) -> Field<'a> {
        match (raw.as_bytes().first(), text(raw)) {
            (Some(b'"'), None) => Field::Garbled(raw),
            (Some(b'"'), Some(text)) if text.is_empty() => Field::Absent,
            (Some(b'"'), Some(text)) => Field::Text(text),
            (Some(b'n'), _) => Field::Absent,
            (_, _) => Field::Other(raw),
        }
    }

    /// Returns the text; `None` if there is none.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Field::Text(text) => Some(text),
            Field::Absent | Field::Garbled(_) | Field::Other(_) => None,
        }
    }

    /// Returns the beginning of the property's value, in quotes and escaped; `None` if the property is absent.
    pub(super) fn excerpt(&self) -> Option<String> {
        let shown = match self {
            Field::Absent => return None,
            Field::Text(text) => text.as_ref(),
            Field::Garbled(raw) => raw.trim_matches('"'),
            Field::Other(raw) => raw,
        };
        let end = shown.floor_char_boundary(EXCERPT_BYTES);
        let more = if end < shown.len() { "…" } else { "" };
        Some(format!("{:?}{more}", &shown[..end]))
    }
}

/// Returns the text of a string whose JSON is `raw`; `None` if `raw` is no string, or its escapes give no text.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Reason why there is no object to read properties from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The body is not JSON, as this place shows.
    NotJson {
        /// Number of the line, from 1.
        line: usize,
        /// Number of the byte in the line, from 1.
        column: usize,
    },
    /// The body is JSON of another kind than an object.
    NotAnObject,
}

/// Never takes over the library's words, which can quote the body.
impl From<Unreadable> for NotUnderstood {
    fn from(unreadable: Unreadable) -> NotUnderstood {
        match unreadable {
            Unreadable::NotJson { line, column } => NotUnderstood::BodyNotJson { line, column },
            Unreadable::NotAnObject => NotUnderstood::BodyNotAnObject,
        }
    }
}

/// Reads the properties that have these names, in the order of the names.
pub(super) fn read<'a, const N: usize>(
    body: &'a [u8],
    names: &[&str; N],
) -> Result<[Field<'a>; N], Unreadable> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let found = Object(names).deserialize(&mut from);
    match found.and_then(|found| from.end().map(|()| found)) {
        Ok(found) => Ok(found.map(|raw| raw.map_or(Field::Absent, Field::of))),
        Err(error) => Err(why(body, &error)),
    }
}

fn why(body: &[u8], error: &serde_json::Error) -> Unreadable {
    let at = |error: &serde_json::Error| Unreadable::NotJson {
        line: error.line(),
        column: error.column(),
    };
    match error.classify() {
        // The body begins as something other than an object, and has not been read any further.
        Category::Data => match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(IgnoredAny) => Unreadable::NotAnObject,
            Err(error) => at(&error),
        },
        Category::Io | Category::Syntax | Category::Eof => at(error),
    }
}

struct Object<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Object<'_, N> {
    type Value = [Option<&'de str>; N];

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Object<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        // Names are taken as they stand, too: a name that is no text is none of ours.
        while let Some(name) = map.next_key::<&RawValue>()? {
            let name = text(name.get());
            let place = name.and_then(|name| self.0.iter().position(|wanted| *wanted == name));
            match place {
                Some(place) => found[place] = Some(map.next_value::<&RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(value: &str) -> Field<'static> {
        let body = format!(r#"{{"x":[{{"a":1}}],"a":{value},"b":"kept"}}"#).leak();
        let [a, b] = read(body.as_bytes(), &["a", "b"]).expect("an object");
        assert_eq!(b, Field::Text("kept".into()), "{body}");
        a
    }

    #[test]
    fn a_property_spoils_no_other() {
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        for (value, expected) in [
            ("null", Field::Absent),
            (r#""""#, Field::Absent),
            (r#""text""#, Field::Text("text".into())),
            (r#""\u0074e\u0078t""#, Field::Text("text".into())),
            (r#""\ud83d\ude00""#, Field::Text("😀".into())),
            (r#""\ud800""#, Field::Garbled(r#""\ud800""#)),
            (r#""\udc00\ud800""#, Field::Garbled(r#""\udc00\ud800""#)),
            ("1e400", Field::Other("1e400")),
            ("-0", Field::Other("-0")),
            ("true", Field::Other("true")),
            ("{ \"a\" : 1e400 }", Field::Other("{ \"a\" : 1e400 }")),
            (&deep, Field::Other(&deep)),
        ] {
            assert_eq!(only(value), expected, "{value}");
        }
    }

    #[test]
    fn a_name_spoils_nothing_either() {
        for name in [r"\ud800", r"\u0000", "", "ä"] {
            let body = format!(r#"{{"{name}":1,"a":"kept"}}"#);
            let [a] = read(body.as_bytes(), &["a"]).expect("an object");
            assert_eq!(a.text(), Some("kept"), "{body}");
        }
        let [a] = read(br#"{"\u0061":"escaped"}"#, &["a"]).expect("an object");
        assert_eq!(a.text(), Some("escaped"));
    }

    #[test]
    fn what_is_no_object_says_where() {
        let not_json = |line, column| Unreadable::NotJson { line, column };
        for (body, expected) in [
            ("", not_json(1, 0)),
            ("{\n\"a\":\n+1}", not_json(3, 1)),
            ("{\"a\":1} {", not_json(1, 9)),
            ("{\"a\":1", not_json(1, 6)),
            ("{\"a\":\"\n\"}", not_json(1, 6)),
            ("{\"a\":tru}", not_json(1, 9)),
            ("[[", not_json(1, 2)),
            ("[]", Unreadable::NotAnObject),
            ("\"text\"", Unreadable::NotAnObject),
            ("null", Unreadable::NotAnObject),
        ] {
            assert_eq!(read(body.as_bytes(), &["a"]), Err(expected), "{body:?}");
        }
    }

    #[test]
    fn an_excerpt_is_short_and_shows_no_control_characters() {
        let excerpt = |value| only(value).excerpt();
        assert_eq!(excerpt("null"), None);
        assert_eq!(excerpt("1e400").as_deref(), Some("\"1e400\""));
        assert_eq!(
            excerpt(r#""a\nb\u001b""#).as_deref(),
            Some(r#""a\nb\u{1b}""#)
        );
        let long = format!("\"{}\"", "ä".repeat(40));
        let shown = excerpt(&long).expect("something");
        assert_eq!(shown, format!("\"{}\"…", "ä".repeat(16)));
    }
}
