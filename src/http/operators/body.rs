//! Bodies of operators' requests: a JSON object of known properties. A refusal names the property and the cure.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::unique_json::UniqueJson;
use crate::http::problem::Problem;

/// Maximum number of characters that a refusal shows of an unknown property's name.
const SHOWN_MAX_CHARS: usize = 40;

/// Body of a request, read as JSON without regard to `Content-Type`.
pub(super) type JsonBody = Result<Bytes, BytesRejection>;

/// Property of a body.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) is_needed: bool,
    /// Values that the property takes, in words that can follow "write" in a sentence.
    pub(super) values: &'static str,
}

/// Object that a body holds.
pub(super) trait Object: DeserializeOwned {
    /// Every property of the object.
    const PROPERTIES: &'static [Property];
}

/// Reads the object of a body. A body of anything else is refused with 422.
pub(super) fn read_body<T: Object>(body: JsonBody) -> Result<T, Problem> {
    let body = body.map_err(|rejection| Problem::new(rejection.status()))?;
    object(&body).map_err(unusable)
}

/// Returns the refusal of a body, with the reason.
pub(super) fn unusable(why: impl Into<String>) -> Problem {
    Problem::with_detail(StatusCode::UNPROCESSABLE_ENTITY, why)
}

fn object<T: Object>(body: &[u8]) -> Result<T, String> {
    let names = T::PROPERTIES.iter().map(|property| property.name);
    let names = names.collect::<Vec<_>>().join(", ");
    let UniqueJson(parsed) = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            return format!("{error}; write it once");
        }
        let (line, column) = (error.line(), error.column());
        format!("not JSON at line {line}, column {column}; write an object with {names}")
    })?;
    let Value::Object(fields) = parsed else {
        return Err(format!("write a JSON object with {names}"));
    };
    if let Some(name) = fields.keys().find(|name| property::<T>(name).is_none()) {
        let shown: String = name.chars().take(SHOWN_MAX_CHARS).collect();
        return Err(format!(
            "{shown:?}: there is no such property; write {names}"
        ));
    }
    let mut needed = T::PROPERTIES.iter().filter(|property| property.is_needed);
    if let Some(property) = needed.find(|property| is_missing(&fields, property.name)) {
        let Property { name, values, .. } = property;
        return Err(format!("{name}: missing; write {values}"));
    }
    let fields = with_integers(Value::Object(fields));
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let at = match error.path().iter().next() {
            Some(Segment::Map { key }) => property::<T>(key),
            _ => None,
        };
        match at {
            Some(Property { name, values, .. }) => format!("{name}: write {values}"),
            None => format!("write a JSON object with {names}"),
        }
    })
}

/// Returns a value in which each number that is an integer is written as one: JSON does not tell 5.0 from 5.
fn with_integers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            // Beyond this a float has no digits after the point, and may have lost some before it.
            let exact = |float: &f64| float.fract() == 0.0 && float.abs() <= 2f64.powi(53);
            let integer = number.as_f64().filter(exact).map(|float| float as i64);
            match integer {
                Some(integer) if number.is_f64() => integer.into(),
                _ => Value::Number(number),
            }
        }
        Value::Array(values) => values.into_iter().map(with_integers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(
                fields
                    .map(|(name, value)| (name, with_integers(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

fn property<T: Object>(name: &str) -> Option<&'static Property> {
    let mut properties = T::PROPERTIES.iter();
    properties.find(|property| property.name == name)
}

fn is_missing(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_none_or(Value::is_null)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_that_is_an_integer_is_read_as_one() {
        for (written, read) in [
            (
                json!({"after": 190_912_417_123_820.0}),
                json!({"after": 190_912_417_123_820_i64}),
            ),
            (json!([5.0, {"a": -1e3}]), json!([5, {"a": -1000}])),
            (json!(1e300), json!(1e300)),
            (json!(0.5), json!(0.5)),
            (json!(u64::MAX), json!(u64::MAX)),
            (
                json!({"a": "5.0", "b": null, "c": true}),
                json!({"a": "5.0", "b": null, "c": true}),
            ),
        ] {
            assert_eq!(with_integers(written), read);
        }
    }

    /// Returns the reason with which a body is refused; `None` if it is accepted.
    pub fn refused<T: Object, U>(body: &str, check: fn(T) -> Result<U, Problem>) -> Option<String> {
        let problem = read_body(Ok(Bytes::copy_from_slice(body.as_bytes()))).and_then(check);
        problem.err().map(|problem| {
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
            String::from_utf8(problem.last_response()).expect("text")
        })
    }
}
