//! Findings about the registration.

use super::{form, rules_of, rules_with};
use crate::{Files, Finding, Form, Rules, Severity, check, check_links};
use std::borrow::Cow;
use std::io::ErrorKind;

/// No file at all.
struct Nothing;

impl Files for Nothing {
    fn content(&self, _file: &str) -> Result<Cow<'_, [u8]>, ErrorKind> {
        Err(ErrorKind::NotFound)
    }
}

fn findings(form: &Form, rules: &Rules) -> Vec<Finding> {
    check(form, rules, &Nothing)
}

/// Returns the codes of what is found about one field `a` with this rule and this value in TOML.
fn codes(rule: &str, value: &str) -> Vec<&'static str> {
    let rules = rules_with(&format!(r#"{{"name":"a",{rule}}}"#));
    let form = form(&format!("[registration.1]\na = {value}\n"));
    let found = findings(&form, &rules);
    found.iter().map(|finding| finding.kind.code()).collect()
}

#[test]
fn a_value_is_compared_with_its_rule() {
    let confirm = r#""type":"boolean","required":true,"enum":[null,true]"#;
    let optional_confirm = r#""enum":[null,true]"#;
    let pattern = r#""pattern":"^[A-Z]{2}$""#;
    let choice = r#""type":"string","enum":["A","B",null]"#;
    for (rule, value, expected) in [
        (r#""required":true"#, "\"\"", &["field-missing"][..]),
        (r#""required":true"#, "\" \"", &[]),
        (r#""required":false"#, "\"\"", &[]),
        (r#""minLength":3"#, "\"éé\"", &["too-short"]),
        (r#""minLength":2"#, "\"éé\"", &[]),
        (r#""minLength":2"#, "\"\"", &[]),
        (r#""maxLength":2"#, "\"ééé\"", &["too-long"]),
        (r#""maxLength":2"#, "\"éé\"", &[]),
        (pattern, "\"au\"", &["pattern-mismatch"]),
        (pattern, "\"AU\"", &[]),
        (r#""pattern":"[""#, "\"au\"", &[]),
        (r#""pattern":"b""#, "\"abc\"", &[]),
        (
            r#""maxLength":1,"pattern":"^x""#,
            "\"ab\"",
            &["too-long", "pattern-mismatch"],
        ),
        (choice, "\"C\"", &["not-a-choice"]),
        (choice, "\"a\"", &["not-a-choice"]),
        (choice, "\"B\"", &[]),
        (r#""enum":[1,2]"#, "2", &[]),
        (r#""enum":[1,2]"#, "\"2\"", &["not-a-choice"]),
        (confirm, "\"\"", &["not-confirmed"]),
        (confirm, "false", &["not-confirmed"]),
        (confirm, "\"true\"", &["not-confirmed"]),
        (confirm, "true", &[]),
        (optional_confirm, "\"\"", &[]),
        (r#""type":"string""#, "3000", &["wrong-type"]),
        (r#""type":"boolean""#, "\"true\"", &["wrong-type"]),
        (r#""type":"boolean""#, "false", &[]),
        (r#""type":"integer""#, "\"x\"", &[]),
        (r#""maxLength":1"#, "[1, 2, 3]", &[]),
    ] {
        assert_eq!(codes(rule, value), expected, "{rule} {value}");
    }
}

#[test]
fn a_confirmation_in_quotes_is_told_of_its_quotes() {
    let rules = rules_with(r#"{"name":"a","required":true,"enum":[null,true]}"#);
    for (value, is_quoted) in [("\"true\"", true), ("\"\"", false), ("false", false)] {
        let found = findings(&form(&format!("[registration.1]\na = {value}\n")), &rules);
        let said = found[0].to_string();
        assert!(said.contains("without quotes"), "{said}");
        assert_eq!(
            said.ends_with("write true without quotes"),
            is_quoted,
            "{said}"
        );
    }
}

/// Nothing says what Sinch means by the field, so another number is no more than a doubt.
#[test]
fn a_number_that_is_not_the_ordered_one_is_doubted() {
    let rules = rules_with(r#"{"name":"senderId","required":true},{"name":"sender"}"#);
    for (value, expected) in [
        ("\"+61411000111\"", &[][..]),
        ("\"+61411000112\"", &["other-number"]),
        ("\"\"", &["field-missing"]),
    ] {
        let text = format!("[registration.1]\nsenderId = {value}\nsender = \"x\"\n");
        let found = findings(&form(&text), &rules);
        let codes: Vec<&str> = found.iter().map(|finding| finding.kind.code()).collect();
        assert_eq!(codes, expected, "{value}");
        assert!(
            found
                .iter()
                .all(|finding| finding.kind.code() != "other-number"
                    || finding.severity() == Severity::Doubtful)
        );
    }
    let text = "reference = \"a\"\n[order]\nregion = \"AU\"\ntype = \"MOBILE\"\nquantity = 1\n\
                [registration.1]\nsenderId = \"+61411000112\"\n";
    let form = Form::read(text).expect("a form without faults");
    assert_eq!(findings(&form, &rules), []);
}

#[test]
fn an_order_without_any_link_is_doubted() {
    let doubt = check_links(&form("")).expect("a doubt");
    assert_eq!(
        (
            doubt.line,
            doubt.key.as_str(),
            doubt.kind.code(),
            doubt.severity()
        ),
        (2, "order", "nothing-linked", Severity::Doubtful)
    );
    for link in [
        "[order.sms]\nservice_plan_id = \"p\"",
        "[order.voice]\ntype = \"RTC\"\napp_id = \"a\"",
    ] {
        assert_eq!(check_links(&form(link)), None, "{link}");
    }
}

#[test]
fn a_finding_names_its_place() {
    let rules = rules_of(
        r#"{"fields":{"rules":[
            {"template":{"properties":[{"name":"sender","required":true},{"name":"kind","maxLength":3}]}},
            {"template":{"properties":[{"name":"city","required":true}]}},
            {"template":{"properties":[{"name":"note"}]}}]}}"#,
    );
    let form = form(
        "[[registration.1]]\nsender = \"a\"\nkind = \"long\"\n[[registration.1]]\nsendr = \"b\"\n[registration.5]\nx = 1\n",
    );
    let found: Vec<String> = findings(&form, &rules)
        .iter()
        .map(Finding::to_string)
        .collect();
    let expected = [
        "line 1: registration.2: the part is missing; fill in its required fields",
        "line 8: registration.1[0].kind: the text is too long; write at most 3 characters",
        "line 9: registration.1[1].sender: the field is required; fill it in",
        "line 10: registration.1[1].sendr: the rules name no such field; it is sent all the same; did you mean \
         \"sender\"?",
        "line 11: registration.5: the rules have 3 parts; this one is sent all the same",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_finding_repeats_what_the_rules_say() {
    let rules = rules_with(
        r#"{"name":"a","pattern":"^[+]","minLength":9,"message":{"pattern":"Begin with +."},"messages":{"minLength":"Too few."}}"#,
    );
    let found = findings(&form("[registration.1]\na = \"123\""), &rules);
    let found: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert_eq!(
        found,
        [
            "line 7: registration.1.a: the text is too short; write at least 9 characters (the rules say: \"Too few.\")",
            "line 7: registration.1.a: the text does not match \"^[+]\"; write it in that form (the rules say: \
             \"Begin with +.\")",
        ]
    );
}

/// Where a piece of the rules is not understood, it may name the field.
#[test]
fn an_unknown_field_is_no_finding_where_the_rules_are_unclear() {
    let read = form("[registration.1]\nb = \"x\"\n");
    let count = |rules: &Rules| findings(&read, rules).len();
    assert_eq!(count(&rules_with(r#"{"name":"a"}"#)), 1);
    assert_eq!(count(&rules_with(r#"{"name":"a"},{"id":"b"}"#)), 0);
    assert_eq!(
        count(&rules_of(r#"{"fields":{"rules":[{"template":{}}]}}"#)),
        0
    );
}

#[test]
fn only_a_part_with_required_fields_can_be_missing() {
    for (properties, expected) in [
        (r#"{"name":"a","required":true}"#, 1),
        (r#"{"name":"a"}"#, 0),
        ("", 0),
    ] {
        let found = findings(&form(""), &rules_with(properties));
        assert_eq!(found.len(), expected, "{properties}");
    }
    let rules = rules_with(r#"{"name":"a","required":true}"#);
    let found = findings(&form("[registration]\n1 = []\n"), &rules);
    assert_eq!(found[0].kind.code(), "part-missing");
}

#[test]
fn nothing_required_is_right_without_a_registration() {
    assert_eq!(findings(&form(""), &Rules::default()), []);
    let found = findings(&form("[registration.1]\na = 1\n"), &Rules::default());
    assert_eq!(found[0].kind.code(), "part-unknown");
    assert_eq!(found[0].severity(), Severity::Doubtful);
}

#[test]
fn no_finding_quotes_a_value() {
    let rules = rules_with(
        r#"{"name":"a","type":"string","minLength":20,"maxLength":3,"pattern":"^x$"},{"name":"b","enum":["x"]},
           {"name":"c","type":"boolean"},{"name":"d","enum":[null,true]}"#,
    );
    let secret = "Secretville";
    let fields = ["a", "b", "c", "d", "e"].map(|name| format!("{name} = \"{secret}\"\n"));
    let form = form(&format!(
        "[registration.1]\n{}[registration.2]\nf = \"{secret}\"",
        fields.concat()
    ));
    let found = findings(&form, &rules);
    assert_eq!(found.len(), 8);
    let json = serde_json::to_string(&found).expect("JSON");
    for shown in found.iter().map(|finding| format!("{finding} {finding:?}")) {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!json.contains(secret), "{json}");
}
