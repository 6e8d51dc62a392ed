mod write;

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;
use crate::sample;

/// With `UPDATE_REFERENCE=1` in the environment, this writes the files.
#[test]
fn the_files_are_the_schemas() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(SCHEMA_VERSION);
    for (file, schema) in write::all() {
        let path = folder.join(file);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published,
            schema,
            "{}: UPDATE_REFERENCE=1 writes it",
            path.display()
        );
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), write::all().count());
}

fn validator(schema: &Value) -> Validator {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(schema).expect("a schema")
}

/// The published schema of an event's type, and the event.
fn published(event: &crate::Event) -> (Value, Value) {
    let schema = serde_json::from_str(schema(event.event_type)).unwrap();
    (schema, serde_json::from_str(&event.json()).unwrap())
}

/// Has each object of the schema refuse properties that it does not describe.
fn close(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
        schema["additionalProperties"] = false.into();
    }
    if let Some(items) = schema.get_mut("items") {
        close(items);
    }
}

#[test]
fn each_event_is_as_its_schema_says_and_has_nothing_beside() {
    for event in sample::all() {
        let (mut schema, event) = published(&event);
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        let fault = validator(&schema)
            .validate(&event)
            .err()
            .map(|fault| fault.to_string());
        assert_eq!(fault, None, "{event}");
        close(&mut schema);
        let fault = validator(&schema)
            .validate(&event)
            .err()
            .map(|fault| fault.to_string());
        assert_eq!(fault, None, "{event}");
    }
    for (event_type, _) in schemas() {
        assert!(
            sample::all()
                .iter()
                .any(|event| event.event_type == event_type)
        );
    }
}

/// Pointers to the values of an event that the schema describes, each with whether it has to be there.
fn described(schema: &Value, value: &Value, at: &str, found: &mut Vec<(String, bool)>) {
    for (name, of_property) in schema["properties"].as_object().into_iter().flatten() {
        let Some(value) = value.get(name) else {
            continue;
        };
        let required = schema["required"].as_array().into_iter().flatten();
        let required = required.chain(
            schema["dependentRequired"]["order"]
                .as_array()
                .into_iter()
                .flatten(),
        );
        let is_required = required.into_iter().any(|required| required == name);
        let at = format!("{at}/{name}");
        described(of_property, value, &at, found);
        found.push((at, is_required));
    }
    for (place, value) in value.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/{place}");
        described(&schema["items"], value, &at, found);
        found.push((at, false));
    }
}

#[test]
fn an_event_that_lacks_a_property_or_has_another_type_there_is_refused() {
    let (mut removed, mut changed) = (0, 0);
    for event in sample::all() {
        let (schema, event) = published(&event);
        let validator = validator(&schema);
        let mut found = Vec::new();
        described(&schema, &event, "", &mut found);
        for (at, is_required) in found {
            let (parent, name) = at.rsplit_once('/').unwrap();
            if is_required
                && !(at == "/data/order" && event["type"].as_str().unwrap().starts_with("alert."))
            {
                let mut lacking = event.clone();
                let parent = lacking.pointer_mut(parent).unwrap();
                parent.as_object_mut().unwrap().remove(name);
                assert!(!validator.is_valid(&lacking), "{at} may be missing");
                removed += 1;
            }
            if at.ends_with("_configuration") {
                continue;
            }
            let mut differing = event.clone();
            let value = differing.pointer_mut(&at).unwrap();
            *value = if value.is_array() {
                json!({})
            } else {
                json!([])
            };
            assert!(
                !validator.is_valid(&differing),
                "{at} may be of another type"
            );
            changed += 1;
        }
    }
    assert!(removed > 200 && changed > 200, "{removed} {changed}");
}

#[test]
fn what_is_added_later_is_taken() {
    let (schema, mut event) = published(&sample::state_event(number_order::State::Completed));
    event["data"]["cause"] = "some-cause-of-tomorrow".into();
    event["data"]["details"]["added"] = 1.into();
    event["added"] = json!({});
    assert!(validator(&schema).is_valid(&event));
    event["timestamp"] = "yesterday".into();
    assert!(!validator(&schema).is_valid(&event));
}

#[test]
fn every_property_says_what_it_is() {
    fn check(schema: &Value, at: &str) -> usize {
        let description = schema["description"].as_str().unwrap_or_default();
        assert!(
            description.len() > 5 && description.ends_with('.'),
            "{at}: {description:?}"
        );
        let properties = schema["properties"].as_object().into_iter().flatten();
        let items = schema.get("items").map_or(0, |items| check(items, at));
        let properties: usize = properties
            .map(|(name, schema)| check(schema, &format!("{at}/{name}")))
            .sum();
        1 + items + properties
    }
    for (event_type, schema) in schemas() {
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(schema["title"], event_type.name());
        assert!(check(&schema, event_type.name()) > 20);
    }
}
