//! Properties of a JSON object, each read by itself.
//!
//! A property is taken as it stands in the text first and interpreted afterwards. So one that cannot be interpreted (a
//! number out of range, a hundred nested arrays, half a surrogate pair) makes neither the other properties nor the
//! whole object unreadable. If a property occurs twice, the last one counts.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::time;

/// Maximum number of bytes of a property's text that an excerpt shows.
const EXCERPT_BYTES: usize = 32;

/// A property as Sinch wrote it. Absent, `null` and `""` mean the same.
///
/// `Debug` shows the kind and the size, and no value: it may be a telephone number or a name.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Property<'a> {
    /// The property is absent, `null` or `""`.
    #[default]
    Absent,
    /// The property is a string that is not empty.
    Text(Cow<'a, str>),
    /// The property is a string whose escapes give no Unicode text, as it stands in the body.
    Garbled(Cow<'a, str>),
    /// The property is a number, `true`, `false`, an array or an object, as it stands in the body.
    Other(Cow<'a, str>),
}

impl<'a> Property<'a> {
    /// Returns the property whose JSON is `raw`, without blanks around it.
    pub fn of(raw: &'a str) -> Property<'a> {
        match (raw.as_bytes().first(), text_of_json(raw)) {
            (Some(b'"'), None) => Property::Garbled(raw.into()),
            (Some(b'"'), Some(text)) if text.is_empty() => Property::Absent,
            (Some(b'"'), Some(text)) => Property::Text(text),
            (Some(b'n'), _) => Property::Absent,
            (_, _) => Property::Other(raw.into()),
        }
    }

    /// Returns the property's text; `None` if the property is no text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Property::Text(text) => Some(text),
            Property::Absent | Property::Garbled(_) | Property::Other(_) => None,
        }
    }

    /// Returns the property's text as a time; `None` if it is no time. A time without a zone is UTC, as each of Sinch's
    /// SDKs has it.
    pub fn time(&self) -> Option<Timestamp> {
        self.text().and_then(time::read)
    }

    /// Returns the property's JSON if it is a number, `true`, `false`, an array or an object; `None` if it is something
    /// else.
    pub fn json(&self) -> Option<&str> {
        match self {
            Property::Other(raw) => Some(raw),
            Property::Absent | Property::Text(_) | Property::Garbled(_) => None,
        }
    }

    /// Returns the same property, with a copy of its text.
    pub(crate) fn into_owned(self) -> Property<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Property::Absent => Property::Absent,
            Property::Text(text) => Property::Text(owned(text)),
            Property::Garbled(raw) => Property::Garbled(owned(raw)),
            Property::Other(raw) => Property::Other(owned(raw)),
        }
    }

    /// Returns the beginning of the property's value, in quotes and escaped; `None` if the property is absent.
    pub fn excerpt(&self) -> Option<String> {
        let shown = match self {
            Property::Absent => return None,
            Property::Text(text) => text.as_ref(),
            Property::Garbled(raw) => raw.trim_matches('"'),
            Property::Other(raw) => raw,
        };
        let end = shown.floor_char_boundary(EXCERPT_BYTES);
        let more = if end < shown.len() { "…" } else { "" };
        Some(format!("{:?}{more}", &shown[..end]))
    }
}

impl fmt::Debug for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = match self {
            Property::Absent => return f.write_str("Absent"),
            Property::Text(text) => ("Text", text),
            Property::Garbled(raw) => ("Garbled", raw),
            Property::Other(raw) => ("Other", raw),
        };
        write!(f, "{kind}({} bytes)", value.len())
    }
}

/// Returns the text of a string whose JSON is `raw`; `None` if `raw` is no string, or its escapes give no text.
fn text_of_json(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Reason why a body has no object to read properties from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The body is not JSON: parsing failed at the given place.
    NotJson {
        /// Line of the body at which parsing failed, from 1.
        line: usize,
        /// Byte of that line at which parsing failed, from 1.
        column: usize,
    },
    /// The body is JSON of another kind than an object.
    NotAnObject,
}

/// Shows a text of this crate's own. That of the JSON library can quote the body.
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::NotJson { line, column } => {
                write!(f, "the body is not JSON (line {line}, column {column})")
            }
            Unreadable::NotAnObject => f.write_str("the body is JSON but not an object"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads the properties of a JSON object that have the given names, in the order of the names.
pub(crate) fn read<'a, const N: usize>(
    body: &'a [u8],
    names: &[&str; N],
) -> Result<[Property<'a>; N], Unreadable> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let found = ObjectReader(names).deserialize(&mut from);
    match found.and_then(|found| from.end().map(|()| found)) {
        Ok(found) => Ok(found.map(|raw| raw.map_or(Property::Absent, Property::of))),
        Err(error) => Err(reason_unreadable(body, &error)),
    }
}

fn reason_unreadable(body: &[u8], error: &serde_json::Error) -> Unreadable {
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

struct ObjectReader<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for ObjectReader<'_, N> {
    type Value = [Option<&'de str>; N];

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for ObjectReader<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        // Names are taken as they stand, too: a name that is no text matches none of the requested ones.
        while let Some(name) = map.next_key::<&RawValue>()? {
            let name = text_of_json(name.get());
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

    fn only(value: &str) -> Property<'static> {
        let body = format!(r#"{{"x":[{{"a":1}}],"a":{value},"b":"kept"}}"#).leak();
        let [a, b] = read(body.as_bytes(), &["a", "b"]).expect("an object");
        assert_eq!(b, Property::Text("kept".into()), "{body}");
        a
    }

    #[test]
    fn a_property_spoils_no_other() {
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        for (value, expected) in [
            ("null", Property::Absent),
            (r#""""#, Property::Absent),
            (r#""text""#, Property::Text("text".into())),
            (r#""\u0074e\u0078t""#, Property::Text("text".into())),
            (r#""\ud83d\ude00""#, Property::Text("😀".into())),
            (r#""\ud800""#, Property::Garbled(r#""\ud800""#.into())),
            (
                r#""\udc00\ud800""#,
                Property::Garbled(r#""\udc00\ud800""#.into()),
            ),
            ("1e400", Property::Other("1e400".into())),
            ("-0", Property::Other("-0".into())),
            ("true", Property::Other("true".into())),
            (
                "{ \"a\" : 1e400 }",
                Property::Other("{ \"a\" : 1e400 }".into()),
            ),
            (&deep, Property::Other(deep.as_str().into())),
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
    fn debug_shows_no_value() {
        for (value, expected) in [
            ("null", "Absent"),
            (r#""+61411000111""#, "Text(12 bytes)"),
            (r#""\ud800""#, "Garbled(8 bytes)"),
            ("[61411]", "Other(7 bytes)"),
        ] {
            assert_eq!(format!("{:?}", only(value)), expected);
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
