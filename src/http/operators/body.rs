//! Bodies of operators' requests: a JSON object of known properties. A refusal names the property and the cure.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

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
    let parsed = serde_json::from_slice(body).map_err(|error| {
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
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
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

fn property<T: Object>(name: &str) -> Option<&'static Property> {
    let mut properties = T::PROPERTIES.iter();
    properties.find(|property| property.name == name)
}

fn is_missing(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_none_or(Value::is_null)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns the reason with which a body is refused; `None` if it is accepted.
    pub fn refused<T: Object, U>(body: &str, check: fn(T) -> Result<U, Problem>) -> Option<String> {
        let problem = read_body(Ok(Bytes::copy_from_slice(body.as_bytes()))).and_then(check);
        problem.err().map(|problem| {
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
            String::from_utf8(problem.last_response()).expect("text")
        })
    }
}
