//! JSON in which no object has a name twice. Which of two values counts is left to each reader, so none should count.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Maximum number of characters that an error shows of a name.
const SHOWN_MAX_CHARS: usize = 40;

/// Value of JSON in which no object has a name twice.
pub(super) struct UniqueJson(pub(super) Value);

impl<'de> Deserialize<'de> for UniqueJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UniqueJson, D::Error> {
        deserializer.deserialize_any(AnyValue).map(UniqueJson)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueJson(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((name, UniqueJson(value))) = fields.next_entry::<String, _>()? {
            if values.contains_key(&name) {
                let shown: String = name.chars().take(SHOWN_MAX_CHARS).collect();
                return Err(A::Error::custom(format!("{shown:?} is written twice")));
            }
            values.insert(name, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_any_reader_has_it() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 0.5, "\u002b", {}], "b": {"a": []}}"#;
        let UniqueJson(read) = serde_json::from_str(text).expect("is JSON");
        assert_eq!(read, serde_json::from_str::<Value>(text).expect("is JSON"));
    }

    #[test]
    fn a_name_is_written_once_in_an_object() {
        for text in [
            r#"{"dry_run": true, "dry_run": false}"#,
            r#"{"dry_run": true, "dry_\u0072un": true}"#,
            r#"[{"a": {"dry_run": 1, "b": 2, "dry_run": 1}}]"#,
        ] {
            let error = serde_json::from_str::<UniqueJson>(text).err();
            let error = error.expect("is refused");
            assert!(error.is_data(), "{error}");
            let said = error.to_string();
            assert!(said.starts_with("\"dry_run\" is written twice"), "{said}");
        }
    }
}
