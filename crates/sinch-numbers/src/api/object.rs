//! Objects of an answer, kept as they arrived and read property by property.
//!
//! A type of [`object!`] is a view of such an object: each method reads one documented property when it is called. So a
//! property that cannot be read spoils no other, and nothing that Sinch sent is lost.

use std::fmt;

use serde_json::value::RawValue;

use super::money::Money;
use crate::property::{self, Property, Unreadable};

/// A JSON object of an answer, as it arrived.
///
/// `Debug` shows none of it, since answers hold telephone numbers, names and secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Object(Box<str>);

impl Object {
    /// Reads a JSON object from a text.
    ///
    /// # Errors
    ///
    /// Fails if the text is no JSON object.
    pub fn read(json: &[u8]) -> Result<Object, Unreadable> {
        let text =
            std::str::from_utf8(json).map_err(|error| not_utf8(json, error.valid_up_to()))?;
        let [] = property::read(json, &[])?;
        Ok(Object(text.into()))
    }

    /// Returns the object's property of this name, documented or not.
    pub fn get(&self, name: &str) -> Property<'_> {
        // It has been read as an object before, so this cannot fail.
        let [property] = property::read(self.0.as_bytes(), &[name]).unwrap_or_default();
        property
    }

    /// Returns the object as it arrived.
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").finish_non_exhaustive()
    }
}

/// Returns the place of the first byte of a text that is no UTF-8.
fn not_utf8(json: &[u8], valid_up_to: usize) -> Unreadable {
    let mut lines = json[..valid_up_to].split(|byte| *byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    Unreadable::NotJson {
        line: lines.count() + 1,
        column: last.len() + 1,
    }
}

/// A type of value that a property can have.
pub(super) trait Value: Sized {
    /// Returns the value; `None` if the property is absent or has another type.
    fn from_property(property: &Property<'_>) -> Option<Self>;
}

impl Value for Object {
    fn from_property(property: &Property<'_>) -> Option<Object> {
        Object::read(property.json()?.as_bytes()).ok()
    }
}

impl Value for String {
    fn from_property(property: &Property<'_>) -> Option<String> {
        property.text().map(str::to_owned)
    }
}

/// Implements [`Value`] for types that serde reads from JSON.
macro_rules! value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_property(property: &Property<'_>) -> Option<$type> {
                serde_json::from_str(property.json()?).ok()
            }
        }
    )*};
}

value!(bool, u32, u64, Money);

/// Type that the method of a view returns for its property.
pub(super) trait Shown<'a> {
    /// Reads the property as a value of this type.
    fn from_property(property: Property<'a>) -> Self;
}

impl<'a> Shown<'a> for Property<'a> {
    fn from_property(property: Property<'a>) -> Property<'a> {
        property
    }
}

impl<T: Value> Shown<'_> for Option<T> {
    fn from_property(property: Property<'_>) -> Option<T> {
        T::from_property(&property)
    }
}

/// Reads a list. Elements that cannot be read are left out, so that they spoil no other.
impl<T: Value> Shown<'_> for Vec<T> {
    fn from_property(property: Property<'_>) -> Vec<T> {
        let list: Vec<&RawValue> = property
            .json()
            .and_then(|list| serde_json::from_str(list).ok())
            .unwrap_or_default();
        let read = |element: &RawValue| T::from_property(&Property::of(element.get()));
        list.into_iter().filter_map(read).collect()
    }
}

/// Declares a view of a JSON object: its documented properties, each with its method, its type and its name.
macro_rules! object {
    (
        $(#[$doc:meta])*
        $object:ident {$(
            $(#[$about:meta])*
            $method:ident: $type:ty = $name:literal,
        )*}
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $object($crate::api::object::Object);

        impl $object {
            $(
                $(#[$about])*
                pub fn $method(&self) -> $type {
                    $crate::api::object::Shown::from_property(self.0.get($name))
                }
            )*

            /// Returns the JSON object as it arrived, with the properties that have no method here.
            pub fn object(&self) -> &$crate::api::object::Object {
                &self.0
            }
        }

        impl From<$crate::api::object::Object> for $object {
            fn from(object: $crate::api::object::Object) -> $object {
                $object(object)
            }
        }

        impl $crate::api::object::Value for $object {
            fn from_property(property: &$crate::Property<'_>) -> Option<$object> {
                $crate::api::object::Object::from_property(property).map($object)
            }
        }

        /// Shows nothing that Sinch sent.
        impl std::fmt::Debug for $object {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($object)).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use object;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    object! {
        /// An object of the tests.
        Thing {
            /// A text.
            text: Property<'_> = "text",
            /// A count.
            count: Option<u32> = "count",
            /// Words.
            words: Vec<String> = "words",
            /// Things inside.
            things: Vec<Thing> = "things",
        }
    }

    fn thing(json: &str) -> Thing {
        Object::read(json.as_bytes()).expect("an object").into()
    }

    #[test]
    fn a_property_that_cannot_be_read_spoils_no_other() {
        for odd in [
            "1e400",
            r#""\ud800""#,
            "-1",
            "{}",
            "null",
            r#""7""#,
            "[[[]]]",
        ] {
            let json = format!(
                r#"{{"text":"t","count":{odd},"words":["a",{odd},"b"],"things":[{{"text":"u"}},[{odd}]]}}"#
            );
            let thing = thing(&json);
            assert_eq!(thing.text().text(), Some("t"), "{odd}");
            assert_eq!(thing.count(), None, "{odd}");
            assert!(thing.words().starts_with(&["a".to_owned()]), "{odd}");
            assert!(thing.words().ends_with(&["b".to_owned()]), "{odd}");
            let inner = thing.things();
            assert_eq!(inner.len(), 1, "{odd}");
            assert_eq!(inner[0].text().text(), Some("u"), "{odd}");
            assert_eq!(thing.object().json(), json);
        }
    }

    #[test]
    fn a_property_without_a_method_is_kept() {
        let thing = thing(r#"{"text":null,"inventedLater":{"a":1}}"#);
        assert_eq!(thing.text(), Property::Absent);
        assert_eq!(
            thing.object().get("inventedLater").json(),
            Some(r#"{"a":1}"#)
        );
        assert_eq!(thing.object().get("other"), Property::Absent);
    }

    #[test]
    fn what_is_no_object_says_where() {
        let not_json = |line, column| Err(Unreadable::NotJson { line, column });
        for (json, expected) in [
            (&b"[]"[..], Err(Unreadable::NotAnObject)),
            (b"", not_json(1, 0)),
            (b"{\"a\":\"\xff\"}", not_json(1, 7)),
            (b"{\n\n \xff}", not_json(3, 2)),
        ] {
            assert_eq!(Object::read(json), expected, "{json:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let thing = thing(r#"{"text":"+46700000000"}"#);
        assert_eq!(format!("{thing:?}"), "Thing { .. }");
        assert_eq!(format!("{:?}", thing.object()), "Object { .. }");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(json in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Object::read(&json);
        }
    }
}
