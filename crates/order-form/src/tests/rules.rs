//! What is recognised of a lookup's answer, and what stays JSON.

use serde_json::json;
use sinch_numbers::api::{Object, Requirements};

use super::{rules_of, rules_with};
use crate::{Choices, Field, FieldKind, Rules};

fn field(property: &str) -> Field {
    rules_with(property).parts.remove(0).fields.remove(0)
}

#[test]
fn every_key_of_a_property_is_recognised() {
    let field = field(
        r#"{"name":"code","title":"Code","description":"Two\nlines","x-placeholder":"ab","type":"string",
            "required":true,"minLength":2,"maxLength":3,"pattern":"^[a-z]+$","enum":["ab","abc"],
            "examples":["ab"],"message":{"pattern":"Small letters.","maxLength":3},"messages":{"enum":"One of two."}}"#,
    );
    assert_eq!(field.name, "code");
    assert_eq!(field.title.as_deref(), Some("Code"));
    assert_eq!(field.description.as_deref(), Some("Two\nlines"));
    assert_eq!(field.placeholder.as_deref(), Some("ab"));
    assert_eq!(field.kind, FieldKind::Text);
    assert!(field.is_required);
    assert_eq!((field.min_length, field.max_length), (Some(2), Some(3)));
    assert_eq!(field.pattern.as_deref(), Some("^[a-z]+$"));
    let choices = vec![json!("ab"), json!("abc")];
    assert_eq!(field.choices, Some(Choices::OneOf(choices)));
    assert_eq!(field.examples, ["ab"]);
    assert_eq!(field.message("pattern"), Some("Small letters."));
    assert_eq!(field.message("enum"), Some("One of two."));
    assert_eq!(field.message("maxLength"), None);
    assert_eq!(field.not_understood, []);
}

#[test]
fn a_property_with_a_name_alone_is_an_optional_field() {
    let field = field(r#"{"name":"code"}"#);
    assert!(!field.is_required);
    assert_eq!(field.kind, FieldKind::Any);
    assert_eq!(field.choices, None);
    assert_eq!(field.not_understood, []);
}

#[test]
fn choices_with_null_are_told_apart() {
    let one_of = |list| Some(Choices::OneOf(list));
    for (list, expected) in [
        ("[null,true]", Some(Choices::Confirmation)),
        ("[true,null]", Some(Choices::Confirmation)),
        ("[true]", one_of(vec![json!(true)])),
        (r#"[null,"a"]"#, one_of(vec![json!("a")])),
        ("[null]", None),
        ("[]", None),
    ] {
        let field = field(&format!(r#"{{"name":"a","enum":{list}}}"#));
        assert_eq!(field.choices, expected, "{list}");
    }
}

#[test]
fn a_value_of_another_kind_is_shown_and_not_obeyed() {
    for (key, value) in [
        ("required", r#"["a"]"#),
        ("required", r#""yes""#),
        ("minLength", r#""2""#),
        ("maxLength", "-1"),
        ("pattern", "7"),
        ("enum", r#"{"a":1}"#),
        ("type", r#""integer""#),
        ("type", r#"["string","null"]"#),
        ("title", "{}"),
        ("examples", r#""a""#),
        ("message", r#""wrong""#),
        ("format", r#""email""#),
        ("minItems", "3"),
    ] {
        let field = field(&format!(r#"{{"name":"a","{key}":{value}}}"#));
        let shown = &field.not_understood;
        assert_eq!(shown.len(), 1, "{key}");
        assert_eq!(shown[0].json, value, "{key}");
        let place = format!("fields.rules[0].template.properties[0].{key}");
        assert_eq!(shown[0].place, place);
        assert!(!field.is_required, "{key}");
        assert_eq!(field.kind, FieldKind::Any, "{key}");
        assert_eq!((field.min_length, field.max_length), (None, None), "{key}");
    }
}

#[test]
fn a_pattern_that_does_not_compile_stays_for_people() {
    for pattern in ["(?=a)b", "[", "a{1000}{1000}{1000}"] {
        let field = field(&format!(r#"{{"name":"a","pattern":"{pattern}"}}"#));
        assert_eq!(field.pattern.as_deref(), Some(pattern));
        assert!(field.regex.is_none(), "{pattern}");
    }
}

#[test]
fn what_is_no_rule_keeps_its_place_and_is_shown() {
    let rules = rules_of(
        r#"{"fields":{"schema":"/s","version":9,"rules":[{"template":{}},"text",null,{"oneOf":[{"x":1e999}]},
            {"template":{"$ref":"/t","properties":[7,{"title":"no name"},{"name":"a"},{"name":"a","title":"again"}]}}]}}"#,
    );
    let shown: Vec<Vec<(&str, &str)>> = rules
        .parts
        .iter()
        .map(|part| {
            let pieces = part.not_understood.iter();
            pieces.map(|piece| (&*piece.place, &*piece.json)).collect()
        })
        .collect();
    let [first, second, fourth] =
        [0, 1, 3].map(|n| format!("fields.rules[4].template.properties[{n}]"));
    let expected: [Vec<(&str, &str)>; 5] = [
        vec![],
        vec![("fields.rules[1]", r#""text""#)],
        vec![],
        vec![("fields.rules[3].oneOf", r#"[{"x":1e999}]"#)],
        vec![
            ("fields.rules[4].template.$ref", r#""/t""#),
            (&first, "7"),
            (&second, r#"{"title":"no name"}"#),
            (&fourth, r#"{"name":"a","title":"again"}"#),
        ],
    ];
    assert_eq!(shown, expected);
    assert_eq!(rules.parts[4].fields.len(), 1);
    assert_eq!(rules.not_understood.len(), 1);
    assert_eq!(rules.not_understood[0].place, "fields.version");
}

#[test]
fn rules_of_another_form_are_shown_whole() {
    for (answer, place, json) in [
        (r#"{"fields":[1]}"#, "fields", "[1]"),
        (
            r#"{"fields":{"rules":{"a":1}}}"#,
            "fields.rules",
            r#"{"a":1}"#,
        ),
        (
            r#"{"fields":{"rules":"none"}}"#,
            "fields.rules",
            r#""none""#,
        ),
        (
            r#"{"attachments":[{"title":"No id"}]}"#,
            "attachments[0]",
            r#"{"title":"No id"}"#,
        ),
    ] {
        let rules = rules_of(answer);
        assert!(rules.parts.is_empty(), "{answer}");
        let shown = &rules.not_understood;
        assert_eq!(shown.len(), 1, "{answer}");
        assert_eq!((&*shown[0].place, &*shown[0].json), (place, json));
    }
}

#[test]
fn documents_are_read_in_both_places() {
    let document = r#"[{"id":"d1","title":"T","description":"D","mandatory":true,"template":[{"name":"t.rtf","url":"https://files.example/t.rtf"}],
        "allowedMimeTypes":["application/pdf","application/pdf"],"allowedDocumentTypes":["Passport"],"maxSize":7}]"#;
    for answer in [
        format!(r#"{{"fields":{{"rules":[],"attachments":{document}}}}}"#),
        format!(r#"{{"fields":{{"rules":[]}},"attachments":{document}}}"#),
    ] {
        let rules = rules_of(&answer);
        assert!(rules.not_understood.is_empty());
        let [document] = &rules.documents[..] else {
            panic!("{} documents", rules.documents.len());
        };
        assert_eq!(document.id, "d1");
        assert!(document.is_mandatory);
        assert_eq!(document.media_types, ["application/pdf"]);
        assert_eq!(document.document_types, ["Passport"]);
        assert_eq!(document.templates[0].name.as_deref(), Some("t.rtf"));
        assert_eq!(document.not_understood[0].json, "7");
    }
}

#[test]
fn what_is_not_read_of_documents_is_shown() {
    for (key, value) in [
        ("mandatory", r#""yes""#),
        ("template", "true"),
        ("template", "[7]"),
        ("title", "[1]"),
        ("allowedMimeTypes", r#""application/pdf""#),
        ("allowedDocumentTypes", r#"["Passport",7]"#),
        ("maxSize", "7"),
    ] {
        let rules = rules_of(&format!(
            r#"{{"attachments":[{{"id":"d","{key}":{value}}}]}}"#
        ));
        let shown = &rules.documents[0].not_understood;
        assert_eq!(shown.len(), 1, "{key}");
        let place = format!("attachments.d.{key}");
        assert_eq!((&shown[0].place, &*shown[0].json), (&place, value));
    }
    for (answer, place, json) in [
        (r#"{"attachments":{"a":1}}"#, "attachments", r#"{"a":1}"#),
        (r#"{"attachments":[7]}"#, "attachments[0]", "7"),
        (
            r#"{"fields":{"attachments":true}}"#,
            "fields.attachments",
            "true",
        ),
        (
            r#"{"fields":{"attachments":["x"]}}"#,
            "fields.attachments[0]",
            r#""x""#,
        ),
        (r#"{"more":{}}"#, "more", "{}"),
    ] {
        let shown = rules_of(answer).not_understood;
        assert_eq!(shown.len(), 1, "{answer}");
        assert_eq!((&*shown[0].place, &*shown[0].json), (place, json));
    }
}

#[test]
fn nothing_required_is_no_rule() {
    for answer in [
        "{}",
        r#"{"fields":null}"#,
        r#"{"fields":{"rules":[]},"attachments":[]}"#,
    ] {
        let rules = rules_of(answer);
        assert!(rules.parts.is_empty() && rules.documents.is_empty());
        assert!(rules.not_understood.is_empty(), "{answer}");
    }
}

/// Sinch's samples are no part of the project: `SINCH_NUMBERS_SAMPLES` names their folder.
#[test]
#[ignore = "needs the folder of samples"]
fn published_lookups_are_understood() {
    let folder = std::env::var("SINCH_NUMBERS_SAMPLES").expect("SINCH_NUMBERS_SAMPLES");
    let rules = |name: &str| {
        let path = format!("{folder}/orders/{name}.response.json");
        let json = std::fs::read(path).expect("a sample");
        let object = Object::read(&json).expect("an object");
        Rules::understand(&Requirements::from(object))
    };
    let published = rules("lookup-au");
    assert_eq!(published.parts.len(), 2);
    assert!(published.not_understood.is_empty());
    let inside = rules("synthetic-lookup-attachments-inside-fields");
    assert_eq!((inside.parts.len(), inside.documents.len()), (2, 2));
    let beside = rules("synthetic-lookup-au-mobile");
    assert_eq!((beside.parts.len(), beside.documents.len()), (3, 2));
    assert!(
        beside
            .parts
            .iter()
            .all(|part| part.not_understood.is_empty())
    );
    let opaque = rules("synthetic-lookup-opaque-rules");
    assert_eq!(opaque.parts.len(), 3);
    assert!(
        opaque
            .parts
            .iter()
            .all(|part| part.not_understood.len() == 1)
    );
}
