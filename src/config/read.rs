//! Deserializes a tree with serde; faults say what to write instead.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, IntoDeserializer, Visitor};

use super::tree::{Node, Value};

/// Fault of a value of the wrong kind: what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(what: T) -> Wrong {
        Wrong(what.to_string())
    }
}

fn wrong<T>(what: &str) -> Result<T, Wrong> {
    Err(Wrong(what.to_owned()))
}

impl<'de> IntoDeserializer<'de, Wrong> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Deserializer of the kinds that the raw keys need, and of no others. A variable's text becomes the kind that is
/// requested.
impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Value::Table(table) = &self.value else {
            return wrong("write a table of keys, not a single value or a list");
        };
        table.known.set(fields);
        let entries = table.entries.iter();
        visitor.visit_map(MapDeserializer::new(
            entries.map(|(name, node)| (name.as_str(), node)),
        ))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter())),
            Value::Table(_) => wrong("write a list of tables, each under [[double brackets]]"),
            Value::Text(_) | Value::Plain(_) | Value::Variable(_) => {
                wrong("write a list, in square brackets")
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            Value::Plain(_) | Value::List(_) | Value::Table(_) => wrong("write a text, in quotes"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.plain().map(str::parse) {
            Some(Ok(number)) => visitor.visit_u64(number),
            Some(Err(_)) | None => wrong("write a whole number, not below 0, without quotes"),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.plain().map(str::parse) {
            Some(Ok(number)) => visitor.visit_f64(number),
            Some(Err(_)) | None => wrong("write a number, without quotes"),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.plain().map(str::parse) {
            Some(Ok(truth)) => visitor.visit_bool(truth),
            Some(Err(_)) | None => wrong("write true or false, without quotes"),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map enum identifier
    }
}

impl Node {
    /// Text of a value that needs no quotes.
    fn plain(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Variable(text) => Some(text),
            Value::Text(_) | Value::List(_) | Value::Table(_) => None,
        }
    }
}
