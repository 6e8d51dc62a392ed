//! Tests of the document: it is the one on file, it is whole, and it says what the handlers do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::http::operators::body::Object;
use crate::http::operators::notifications::RedriveRequest;
use crate::http::operators::ordered::OrderedRequest;
use crate::http::operators::parked::ForgetRequest;
use crate::http::operators::placements::steps::{BeginStep, EndStep};
use crate::http::operators::quarantine::ReverifyRequest;
use crate::http::operators::targets::TestRequest;

/// The document on file, from the root of the repository.
const FILE: &str = "docs/openapi.json";

fn as_json() -> Value {
    serde_json::from_str(document_text()).expect("JSON")
}

/// Returns each operation of the document, with its method and path.
fn described(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

/// Calls a function with each object within a value.
fn each_object<'a>(value: &'a Value, visit: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values().for_each(|field| each_object(field, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| each_object(item, visit)),
        _ => {}
    }
}

/// With `UPDATE_REFERENCE=1` in the environment, this writes the file.
#[test]
fn the_document_on_file_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, document_text()).expect("writes");
    }
    let on_file = fs::read_to_string(&path).expect("a document");
    assert!(
        on_file == document_text(),
        "{FILE} is another one: `just reference` writes it"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let document = as_json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = 0;
    each_object(&document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            references += 1;
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    });
    assert!(references > 100, "{references}");
}

#[test]
fn every_operation_says_what_it_does_and_answers() {
    let document = as_json();
    let mut names = BTreeSet::new();
    for (name, operation) in described(&document) {
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.ends_with('.') && !summary.contains('\n'), "{name}");
        assert!(operation["tags"][0].is_string(), "{name}");
        assert!(names.insert(operation["operationId"].as_str()), "{name}");
        let answers = operation["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with('2')));
        for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() > "4") {
            let refusal = &answer["content"]["application/problem+json"]["schema"];
            assert!(refusal.is_object(), "{name}: {status}");
        }
        let is_health = operation["tags"][0] == "health";
        let needs_token = operation["security"][0]["token"].is_array();
        assert_eq!(needs_token, !is_health, "{name}");
        assert_eq!(needs_token, answers.contains_key("401"), "{name}");
    }
    assert!(names.len() > 30);
}

/// Tests that no route is added past its description: axum's own method adds the route alone.
#[test]
fn no_route_is_without_description() {
    fn check(folder: &Path, read: &mut usize) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                check(&path, read);
                continue;
            }
            let code = fs::read_to_string(&path).expect("text");
            let code: String = code.split_whitespace().collect();
            assert!(!code.contains(concat!(".ro", "ute(")), "{path:?}");
            *read += 1;
        }
    }
    let mut read = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/operators");
    check(&folder, &mut read);
    assert!(read > 20, "{read}");
}

/// Tests that a body is described with the properties that its reading knows.
#[test]
fn bodies_are_described_as_they_are_read() {
    fn check<T: Object + ToSchema>() {
        let schema = serde_json::to_value(T::schema()).expect("JSON");
        let described: BTreeSet<&str> = schema["properties"]
            .as_object()
            .expect("properties")
            .keys()
            .map(String::as_str)
            .collect();
        let read = T::PROPERTIES.iter().map(|property| property.name);
        assert_eq!(described, read.collect(), "{}", T::name());
        let needed = T::PROPERTIES.iter().filter(|property| property.is_needed);
        let needed: BTreeSet<&str> = needed.map(|property| property.name).collect();
        let required = schema["required"].as_array().into_iter().flatten();
        let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
        assert_eq!(required, needed, "{}", T::name());
        assert_eq!(schema["additionalProperties"], false, "{}", T::name());
    }
    check::<ForgetRequest>();
    check::<OrderedRequest>();
    check::<BeginStep>();
    check::<EndStep>();
    check::<RedriveRequest>();
    check::<ReverifyRequest>();
    check::<TestRequest>();
}

#[test]
fn ids_are_described_as_they_are_checked() {
    let schema = serde_json::to_value(Id::schema()).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let long = "a".repeat(129);
    let odd = ["", ".", "..", "...", "..a", ".a", "a.", &long, &long[1..]];
    let of_one = (0..=u8::MAX).map(|byte| char::from(byte).to_string());
    let of_two = (0..=u8::MAX).map(|byte| format!("a{}", char::from(byte)));
    for text in odd
        .map(str::to_owned)
        .into_iter()
        .chain(of_one)
        .chain(of_two)
    {
        let is_described = schema.is_valid(&Value::String(text.clone()));
        assert_eq!(is_described, Id::new(text.clone()).is_some(), "{text:?}");
    }
}
