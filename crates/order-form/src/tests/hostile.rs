//! Rules that would break a form, were they not quoted.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{rules_of, written};
use crate::{Form, Rules};

/// Texts with what TOML or a terminal could stumble over.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n[order]\nregion = \"XX\"\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("'''".to_owned()),
        Just("\\".to_owned()),
        Just("\r".to_owned()),
        Just("\u{0}\u{1b}[2J\u{7f}".to_owned()),
        Just("\u{2028}x = 1\u{85}\u{202e}".to_owned()),
        Just("= #".to_owned()),
        any::<String>(),
        "[a-z ]{0,120}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn property() -> impl Strategy<Value = Value> {
    let texts = proptest::collection::vec(hostile(), 9);
    (texts, any::<bool>()).prop_map(|(t, required)| {
        json!({
            "name": t[0], "title": t[1], "description": t[2], "x-placeholder": t[3], "pattern": t[4],
            "enum": [t[5]], "examples": [t[6]], "message": {"pattern": t[7]}, "required": required, &*t[8]: t[8],
        })
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let properties = proptest::collection::vec(property(), 0..4);
    let texts = proptest::collection::vec(hostile(), 7);
    (properties, texts, any::<bool>()).prop_map(|(properties, t, mandatory)| {
        let answer = json!({
            "fields": {"rules": [{"template": {"properties": properties, &*t[0]: t[0]}}, t[1]], "other": t[1]},
            "attachments": [{
                "id": t[2], "title": t[3], "description": t[4], "mandatory": mandatory,
                "template": [{"name": t[5], "url": t[6]}], "allowedMimeTypes": [t[6]], "allowedDocumentTypes": [t[5]],
            }],
        });
        rules_of(&answer.to_string())
    })
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n')
}

proptest! {
    #[test]
    fn a_written_form_is_always_read_again(rules in rules()) {
        let text = written(&rules);
        let form = Form::read(&text);
        prop_assert!(form.is_ok(), "{form:?}\n{text}");
        let form = form.expect("it is one");
        prop_assert_eq!(form.region(), "AU");
        let comments = text.lines().filter(|line| line.starts_with('#'));
        prop_assert!(!comments.clone().any(has_control), "{:?}", text);
        let entries = form.parts.iter().flat_map(|part| &part.entries);
        let names: BTreeSet<&String> = entries.flat_map(|entry| entry.keys()).collect();
        let fields = rules.parts.iter().flat_map(|part| &part.fields);
        let required = fields.filter(|field| field.is_required);
        prop_assert_eq!(names, required.map(|field| &field.name).collect());
    }
}
