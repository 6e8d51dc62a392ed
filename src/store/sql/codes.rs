//! Values of closed lists, stored in two columns: a code, and its fields as JSON.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error};
use serde_json::{Map, Value};

use super::columns::{Columns, present};

/// A value of a closed list, as two columns store it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Code {
    pub code: String,
    /// Fields of the code, as a JSON object; `None`: it has none.
    pub fields: Option<String>,
}

impl Code {
    pub(in crate::store) fn new(value: &impl Serialize) -> Code {
        let value = serde_json::to_value(value).expect("a code and its fields are always JSON");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Code {
            code: value.get("code").and_then(text).unwrap_or_default(),
            fields: value.get("fields").map(Value::to_string),
        }
    }
}

/// Returns the value of a closed list that two columns hold.
pub(in crate::store) fn value<T: DeserializeOwned>(
    code: &str,
    fields: Option<&str>,
) -> Result<T, serde_json::Error> {
    let mut value = Map::new();
    value.insert("code".to_owned(), code.into());
    if let Some(fields) = fields {
        value.insert("fields".to_owned(), serde_json::from_str(fields)?);
    }
    let unknown =
        |_| serde_json::Error::custom(format!("no code that this program writes: {code:.40?}"));
    serde_json::from_value(Value::Object(value)).map_err(unknown)
}

/// Reads a value of a closed list from two columns of a row; `None` if they are NULL.
pub(in crate::store) fn read<T: DeserializeOwned>(
    row: &impl Columns,
    code: &str,
    fields: &str,
) -> sqlx::Result<Option<T>> {
    let Some(text) = row.text_if_any(code)? else {
        return Ok(None);
    };
    let value =
        value(text, row.text_if_any(fields)?).map_err(|error| sqlx::Error::ColumnDecode {
            index: code.to_owned(),
            source: error.into(),
        })?;
    Ok(Some(value))
}

/// Reads a value of a closed list from two columns that are never NULL.
pub(in crate::store) fn require<T: DeserializeOwned>(
    row: &impl Columns,
    code: &str,
    fields: &str,
) -> sqlx::Result<T> {
    present(code, read(row, code, fields)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::{Cause, Outcome, State};

    #[test]
    fn a_value_goes_into_two_columns_and_back() {
        let state = State::Blocked;
        let answer = Cause::Answer {
            outcome: Outcome::Unchanged { state },
        };
        for (cause, code, has_fields) in [(Cause::Event, "event", false), (answer, "answer", true)]
        {
            let stored = Code::new(&cause);
            assert_eq!(
                (stored.code.as_str(), stored.fields.is_some()),
                (code, has_fields)
            );
            let read: Cause = value(&stored.code, stored.fields.as_deref()).expect("a value");
            assert_eq!(read, cause);
        }
    }

    #[test]
    fn what_this_program_never_writes_is_no_value() {
        for (code, fields) in [
            ("nonsense", None),
            ("answer", None),
            ("answer", Some("{}")),
            ("answer", Some("no JSON")),
        ] {
            assert!(value::<Cause>(code, fields).is_err(), "{code} {fields:?}");
        }
    }
}
