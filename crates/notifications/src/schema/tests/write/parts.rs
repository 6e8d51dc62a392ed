//! Parts of a schema.

use serde_json::{Map, Value, json};

/// A property with its schema.
pub(super) type Property = (&'static str, Value);

/// An object that has all of the properties. It may have more: they come without another version.
pub(super) fn object(description: &str, properties: Vec<Property>) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let required = json!(required);
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    named(
        description,
        json!({ "type": "object", "properties": properties, "required": required }),
    )
}

/// A code with its fields, of which each code has its own, and its words.
pub(super) fn coded(description: &str, codes: &[&str], fields: Vec<Property>) -> Value {
    let mut fields = object("Fields of the code; absent if it has none.", fields);
    fields
        .as_object_mut()
        .expect("an object")
        .remove("required");
    let mut coded = object(
        description,
        vec![
            ("code", code("What it is.", codes)),
            (
                "text",
                text("The same in words, for people. They may change."),
            ),
        ],
    );
    coded["properties"]["fields"] = fields;
    coded
}

/// A word of a list that can grow: the examples are all that there are now.
pub(super) fn code(description: &str, codes: &[&str]) -> Value {
    let description =
        format!("{description} A word of a list that may grow; its examples are all of now.");
    named(
        &description,
        json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "examples": codes }),
    )
}

pub(super) fn list(description: &str, items: &Value) -> Value {
    named(description, json!({ "type": "array", "items": items }))
}

pub(super) fn text(description: &str) -> Value {
    named(description, json!({ "type": "string" }))
}

pub(super) fn time(description: &str) -> Value {
    named(
        description,
        json!({ "type": "string", "format": "date-time" }),
    )
}

pub(super) fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

pub(super) fn named(description: &str, mut schema: Value) -> Value {
    schema["description"] = description.into();
    schema
}
