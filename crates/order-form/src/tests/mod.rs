//! Tests of the crate: rules, writing, reading and check.

mod check;
mod codes;
mod documents;
mod hostile;
mod read;
mod rules;
mod write;

use sinch_numbers::api::{NumberType, Object, PhoneNumber, Requirements};

use crate::{Blank, Form, Rules, write as write_form};

/// Returns the rules of a lookup's answer.
fn rules_of(json: &str) -> Rules {
    let object = Object::read(json.as_bytes()).expect("an object");
    Rules::understand(&Requirements::from(object))
}

/// Returns the rules of one part with the given properties.
fn rules_with(properties: &str) -> Rules {
    rules_of(&format!(
        r#"{{"fields":{{"rules":[{{"template":{{"properties":[{properties}]}}}}]}}}}"#
    ))
}

/// Returns the form that is written for rules.
fn written(rules: &Rules) -> String {
    let number = PhoneNumber::new("+61411000111").expect("a number");
    let blank = Blank {
        reference: "au-mobile-1",
        region: "AU",
        number_type: &NumberType::MOBILE,
        number: Some(&number),
    };
    write_form(&blank, rules)
}

/// Head of a right form, to which a test adds the rest.
const HEAD: &str =
    "reference = \"a-1\"\n[order]\nregion = \"AU\"\ntype = \"MOBILE\"\nnumber = \"+61411000111\"\n";

/// Returns a right form with more text behind its head, which has 5 lines.
fn form(rest: &str) -> Form {
    Form::read(&format!("{HEAD}{rest}")).expect("a form without faults")
}
