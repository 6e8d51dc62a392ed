//! Written forms.

use super::{form, rules_of, rules_with, written};
use crate::{Form, Rules};

const RULES: &str = r#"{"fields":{"rules":[
    {"template":{"properties":[
        {"name":"businessName","title":"Business","description":"As registered.\\nNo abbreviations.","type":"string",
         "required":true,"minLength":2,"maxLength":100,"x-placeholder":"Example Ltd"},
        {"name":"line2","type":"string","maxLength":50},
        {"name":"country","type":"string","required":true,"pattern":"^[A-Z]{2}$","message":{"pattern":"Two capitals."}},
        {"name":"kind","type":"string","required":true,"enum":["A","B"]},
        {"name":"confirmed","type":"boolean","required":true,"enum":[null,true]},
        {"name":"odd key","format":"email"}]}},
    {"template":{}}],
    "attachments":[
        {"id":"d1","title":"Authorisation","mandatory":true,"template":[{"name":"t.rtf","url":"https://files.example/t.rtf"}],
         "allowedMimeTypes":["application/pdf"]},
        {"id":"d2","title":"Identity","allowedDocumentTypes":["Passport","Driver's License"]}]}}"#;

/// Lines of a written form that are wanted, in their order.
const EXPECTED: &str = r#"reference = "au-mobile-1"
[order]
region = "AU"
type = "MOBILE"
number = "+61411000111"
#quantity = 1
#[order.sms]
#[order.voice]
[registration.1]
# Business (required)
# As registered.
# No abbreviations.
# 2 to 100 characters.
# For example "Example Ltd"
businessName = ""
# line2 (optional)
# at most 50 characters.
#line2 = ""
# in the form ^[A-Z]{2}$.
# Two capitals.
country = ""
# one of "A", "B".
kind = ""
# to confirm it, write true in place of "".
confirmed = ""
# Not understood, so not checked; from Sinch, fields.rules[0].template.properties[5].format:
# "email"
#"odd key" = ""
# No field of this part is known. Its fields are whatever Sinch tells you, as name = "value".
[registration.2]
# Authorisation (mandatory document)
# File types that are allowed: application/pdf
# A template of Sinch's for the file, to be filled in: t.rtf, https://files.example/t.rtf
[[documents]]
id = "d1"
file = ""
# Identity (optional document)
#[[documents]]
#id = "d2"
#file = ""
# One of "Passport", "Driver's License".
#type = """#;

#[test]
fn a_form_says_what_each_field_must_be() {
    let text = written(&rules_of(RULES));
    let mut lines = text.lines();
    for expected in EXPECTED.lines() {
        assert!(
            lines.any(|line| line == expected),
            "{expected}\nis missing in\n{text}"
        );
    }
}

#[test]
fn a_written_form_is_read_again() {
    let form = Form::read(&written(&rules_of(RULES))).expect("a form without faults");
    assert_eq!(form.reference(), "au-mobile-1");
    assert_eq!(form.region(), "AU");
    assert_eq!(form.documents().len(), 1);
    assert_eq!(form.data().value(), &serde_json::json!([{}, {}]));
}

#[test]
fn the_field_of_the_ordered_number_is_filled_in() {
    for (rule, line) in [
        (r#""required":true"#, "senderId = \"+61411000111\""),
        (r#""required":false"#, "senderId = \"+61411000111\""),
    ] {
        let text = written(&rules_with(&format!(r#"{{"name":"senderId",{rule}}}"#)));
        assert!(text.lines().any(|written| written == line), "{text}");
        assert!(text.contains("which seems to be meant"), "{text}");
    }
}

/// What is commented out is right, too, once its marks are removed.
#[test]
fn a_form_whose_optional_keys_are_given_is_read() {
    let text = written(&rules_of(RULES));
    let given = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = text
        .lines()
        .map(given)
        .filter(|line| !line.starts_with("number ="))
        .map(|line| match line.as_str() {
            "pattern = \"\"" => "pattern = \"4\"".to_owned(),
            "service_plan_id = \"\"" => "service_plan_id = \"p\"".to_owned(),
            "app_id = \"\"" => "app_id = \"a\"".to_owned(),
            _ => line,
        })
        .collect();
    let form = Form::read(&text.join("\n")).expect("a form without faults");
    assert_eq!(form.documents().len(), 2);
    let order = serde_json::to_value(form.new_order(None)).expect("JSON");
    assert_eq!(order["voiceConfiguration"]["appId"], "a");
    assert_eq!(
        order["quantityOrderOption"]["numberPattern"]["pattern"],
        "4"
    );
}

#[test]
fn comments_are_wrapped_and_words_are_not() {
    let url = format!("https://files.example/{}", "a".repeat(120));
    let words = "word ".repeat(60);
    let rules = rules_with(&format!(
        r#"{{"name":"a","title":"{words}","description":"see {url}"}}"#
    ));
    let text = written(&rules);
    let long: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 100)
        .collect();
    assert_eq!(long, [format!("# {url}")]);
    assert!(text.matches("# word").count() >= 3, "{text}");
}

#[test]
fn nothing_required_gives_a_form_without_registration() {
    let text = written(&Rules::default());
    assert!(
        !text.contains("registration") && !text.contains("documents"),
        "{text}"
    );
    let read = Form::read(&text).expect("a form without faults");
    assert!(!read.has_registration());
    assert_eq!(read.data().value(), &serde_json::json!([]));
    assert!(!form("").has_registration());
}
