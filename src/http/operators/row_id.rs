//! Ids of rows in paths and bodies. In a path one id has one spelling, so that the record of actions names a row in one way.

use serde::de::{Deserialize, Deserializer, Error};

/// Reads the id of a row from a property that can be left out.
pub(super) fn read_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    match Option::deserialize(deserializer)? {
        Some(id) if id < 1 => Err(D::Error::custom("no row has such an id")),
        id => Ok(id),
    }
}

/// Reads the id of a row: plain digits, neither with a sign nor with zeros before it.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|_| is_plain);
    id.ok_or_else(|| D::Error::custom("write the id in plain digits"))
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_written_in_plain_digits() {
        for (text, id) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("+1", None),
            ("-1", None),
            ("01", None),
            ("0", None),
            ("1.0", None),
            (" 1", None),
            ("١", None),
            ("", None),
        ] {
            let given: StrDeserializer<'_, Error> = text.into_deserializer();
            assert_eq!(read(given).ok(), id, "{text:?}");
        }
    }

    #[test]
    fn a_property_names_a_row_or_none() {
        for (given, id) in [
            (json!(1), Some(Some(1))),
            (json!(i64::MAX), Some(Some(i64::MAX))),
            (json!(null), Some(None)),
            (json!(0), None),
            (json!(-1), None),
            (json!(u64::MAX), None),
            (json!("1"), None),
        ] {
            assert_eq!(read_if_any(&given).ok(), id, "{given}");
        }
    }
}
