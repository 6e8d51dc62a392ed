//! Codes as the operators' API sends them: each with its fields, and with a sentence for people.

mod schema;

use std::fmt::Display;

use serde::{Serialize, Serializer};

pub use schema::{Coded, code_schema, coded, coded_if_any, schemas, word};

/// A value of a closed list with its sentence: `{"code": …, "fields": …, "text": …}`.
#[derive(Serialize)]
struct Explained<'a, T> {
    #[serde(flatten)]
    value: &'a T,
    text: String,
}

/// Serializes a value of a closed list with its sentence.
///
/// # Errors
///
/// Any error of the serializer.
pub fn explained<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + Display,
    S: Serializer,
{
    let text = value.to_string();
    Explained { value, text }.serialize(serializer)
}

/// Serializes a value of a closed list that may be absent, as [`explained`] does.
///
/// # Errors
///
/// Any error of the serializer.
pub fn explained_if_any<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + Display,
    S: Serializer,
{
    match value {
        Some(value) => explained(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::{Cause, Outcome, State};

    #[derive(Serialize)]
    struct Row {
        #[serde(serialize_with = "explained")]
        cause: Cause,
        #[serde(serialize_with = "explained_if_any")]
        outcome: Option<Outcome>,
    }

    #[test]
    fn a_code_comes_with_its_fields_and_its_sentence() {
        let state = State::Blocked;
        for (outcome, expected) in [
            (None, "null"),
            (
                Some(Outcome::Unchanged { state }),
                r#"{"code":"unchanged","fields":{"state":"BLOCKED"},"text":"Sinch still shows BLOCKED"}"#,
            ),
        ] {
            let row = Row {
                cause: Cause::Event,
                outcome,
            };
            let cause = r#"{"code":"event","text":"an event says so"}"#;
            let json = serde_json::to_string(&row).expect("JSON");
            assert_eq!(json, format!(r#"{{"cause":{cause},"outcome":{expected}}}"#));
        }
    }
}
