//! Forms that are read: what they mean, and their faults.

use proptest::prelude::*;
use serde_json::json;

use super::{HEAD, form};
use crate::Form;

/// Returns the faults of a form, as line and key.
fn faults(text: &str) -> Vec<(usize, String)> {
    let faults = Form::read(text).expect_err("faults");
    faults
        .into_iter()
        .map(|fault| (fault.line, fault.key))
        .collect()
}

fn fault(text: &str) -> String {
    let faults = Form::read(text).expect_err("faults");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults[0].to_string()
}

#[test]
fn an_order_is_what_the_form_says() {
    let head = "reference = \"a\"\n[order]\nregion = \"US\"\ntype = \"LOCAL\"\n";
    for (rest, option, value) in [
        (
            "number = \"+12025550134\"",
            "numberOrderOption",
            json!({"phoneNumbers": ["+12025550134"]}),
        ),
        (
            "number = \"\"\nquantity = 100",
            "quantityOrderOption",
            json!({"requestedQuantity": 100}),
        ),
        (
            "quantity = 2\npattern = \"77\"\nsearch = \"END\"\nsequential = false\ncapabilities = [\"SMS\"]",
            "quantityOrderOption",
            json!({"requestedQuantity": 2, "numberPattern": {"pattern": "77", "searchPattern": "END"},
                   "sequential": false, "capabilities": ["SMS"]}),
        ),
    ] {
        let form = Form::read(&format!("{head}{rest}")).expect("a form");
        let order = serde_json::to_value(form.new_order(None)).expect("JSON");
        let expected = json!({"regionCode": "US", "numberType": "LOCAL", option: value});
        assert_eq!(order, expected, "{rest}");
    }
    let linked = form(
        "[order.sms]\nservice_plan_id = \"p\"\ncampaign_id = \"c\"\n[order.voice]\ntype = \"EST\"\ntrunk_id = \"t\"",
    );
    let url = "https://callbacks.example/x".to_owned();
    let order = serde_json::to_value(linked.new_order(Some(url))).expect("JSON");
    let sms = json!({"servicePlanId": "p", "campaignId": "c"});
    assert_eq!(order["smsConfiguration"], sms);
    assert_eq!(
        order["voiceConfiguration"],
        json!({"type": "EST", "trunkId": "t"})
    );
    assert_eq!(order["callbackUrl"], "https://callbacks.example/x");
}

#[test]
fn a_registration_is_a_list_of_its_parts() {
    let read = form(
        "[registration.3]\nn = 0x10\nflag = true\nlist = [\"a\", [1]]\ntable = { empty = \"\" }\nunset = \"\"\n\
         [[registration.1]]\na = \"1\"\n[[registration.1]]\na = \"2\"\n",
    );
    let third = json!({"n": 16, "flag": true, "list": ["a", [1]], "table": {"empty": ""}});
    assert_eq!(
        read.data().value(),
        &json!([[{"a": "1"}, {"a": "2"}], {}, third])
    );
    let one = form("[[registration.1]]\na = \"1\"\n");
    assert_eq!(one.data().value(), &json!([[{"a": "1"}]]));
    assert!(one.has_registration());
}

#[test]
fn all_faults_are_told_at_once_by_line() {
    let text = "referense = \"x\"\nreference = \"Not so\"\n[order]\nregion = \"au\"\ntype = 7\nnumber = \"+1 2\"\n\
                sequential = true\n[order.sms]\n[order.voice]\ntype = \"RTC\"\ntrunk_id = \"t\"\n[registration]\n\
                name = \"x\"\n[registration.1]\nborn = 1990-01-01\n[[documents]]\nfile = 7\n";
    let expected = [
        (1, "referense"),
        (2, "reference"),
        (4, "order.region"),
        (5, "order.type"),
        (6, "order.number"),
        (7, "order.sequential"),
        (8, "order.sms.service_plan_id"),
        (9, "order.voice.app_id"),
        (11, "order.voice.trunk_id"),
        (13, "registration.name"),
        (15, "registration.1.born"),
        (16, "documents[0].id"),
        (17, "documents[0].file"),
    ];
    let expected = expected.map(|(line, key)| (line, key.to_owned()));
    assert_eq!(faults(text), expected);
}

#[test]
fn a_fault_says_what_is_wrong_and_what_to_do() {
    for (text, expected) in [
        (
            format!("referenze = 1\n{HEAD}"),
            "line 1: referenze: there is no such key; did you mean reference?",
        ),
        (
            format!("{HEAD}zzz = 1"),
            "line 6: order.zzz: there is no such key; the keys here are region, type, number, quantity, pattern, \
             search, sequential, capabilities, sms, voice",
        ),
        (
            format!("{HEAD}quantity = 2"),
            "line 6: order.quantity: stands beside number; leave one of them out: an order has a number or a quantity",
        ),
        (
            HEAD.replace("number = \"+61411000111\"", "number = \"61411000111\""),
            "line 5: order.number: is no telephone number; write a plus and digits, without blanks, such as +61411000111",
        ),
        (
            HEAD.replace("number = \"+61411000111\"", "number = \"\""),
            "line 5: order.number: is missing, and there is no quantity; write number = \"+…\", or quantity = 1 to let \
             Sinch choose",
        ),
        (
            format!("{HEAD}[registration.1]\nborn = 1990-01-01"),
            "line 7: registration.1.born: is a date or a time without quotes; write it in double quotes, as Sinch \
             wants to read it",
        ),
        (
            "reference = \"a\"".to_owned(),
            "line 1: order: is missing; write [order] with region, type, and number or quantity",
        ),
    ] {
        assert_eq!(fault(&text), expected);
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_a_fault() {
    for (rest, key) in [
        ("voice = 1", "order.voice"),
        ("[order.voice]\ntype = \"SIP\"", "order.voice.type"),
        ("[order.voice]\ntype = \"FAX\"", "order.voice.service_id"),
        ("pattern = \"1\"", "order.pattern"),
        ("[registration.01]", "registration.01"),
        ("[registration.0]", "registration.0"),
        ("[registration.101]", "registration.101"),
        ("[registration.\"+1\"]", "registration.\"+1\""),
        ("[registration]\n1 = 2", "registration.1"),
        ("[registration]\n1 = [2]", "registration.1"),
        ("[registration.1]\nx = 1.5", "registration.1.x"),
        ("[registration.1]\nx = [12:00:00]", "registration.1.x"),
        (
            "[registration.1]\nx = 9223372036854775808",
            "registration.1.x",
        ),
        ("[documents]\nid = \"a\"", "documents"),
        ("[[documents]]\nid = \"\"", "documents[0].id"),
        ("[[documents]]\nid = \"a\"\nfil = \"b\"", "documents[0].fil"),
    ] {
        let faults = faults(&format!("{HEAD}{rest}"));
        assert_eq!(faults.len(), 1, "{rest}: {faults:?}");
        assert_eq!(faults[0].1, key, "{rest}");
    }
    let quantity = HEAD.replace("number = \"+61411000111\"", "quantity = 2");
    for (rest, key) in [
        ("pattern = \"1\"", "order.search"),
        ("search = \"END\"", "order.pattern"),
        ("pattern = \"1\"\nsearch = \"end\"", "order.search"),
        ("sequential = 1", "order.sequential"),
        ("capabilities = \"SMS\"", "order.capabilities"),
        ("capabilities = [\"\"]", "order.capabilities"),
    ] {
        let faults = faults(&format!("{quantity}{rest}"));
        assert_eq!(faults.len(), 1, "{rest}: {faults:?}");
        assert_eq!(faults[0].1, key, "{rest}");
    }
    for quantity in ["0", "101", "-1", "2.0", "\"2\""] {
        let text = HEAD.replace(
            "number = \"+61411000111\"",
            &format!("quantity = {quantity}"),
        );
        assert_eq!(faults(&text)[0].1, "order.quantity", "{quantity}");
    }
}

#[test]
fn a_reference_has_letters_digits_and_hyphens() {
    let read = |reference: &str| Form::read(&HEAD.replace("\"a-1\"", &format!("\"{reference}\"")));
    for good in ["a", "0", "-", &"a".repeat(64), "au-mobile-7k3q9x"] {
        assert_eq!(read(good).expect("a form").reference(), good);
    }
    for bad in ["", "A", "a_b", "a b", "é", "a\\n", &"a".repeat(65)] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_text_that_is_no_toml_says_where() {
    let text = format!("{HEAD}[registration.1]\nname = Jo Doe\nname = \"x\"\ncity = \"Secretville");
    let faults = Form::read(&text).expect_err("faults");
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert!(lines.contains(&7) && lines.contains(&9), "{faults:#?}");
    assert!(!format!("{faults:?}").contains("Secretville"));
    assert!(!format!("{faults:?}").contains("Doe"));
}

#[test]
fn no_value_of_a_registration_is_shown() {
    let secret = "Secretville";
    let read = form(&format!(
        "[registration.1]\ncity = \"{secret}\"\n[[documents]]\nid = \"d\"\nfile = \"{secret}.pdf\""
    ));
    let shown = format!("{read:?} {:?} {:?}", read.documents(), read.data());
    assert!(
        !shown.contains(secret) && !shown.contains("+614"),
        "{shown}"
    );
    for value in [
        "1990-01-01",
        "1.5",
        "99999999999999999999",
        "Secretville",
        "{ a = 1990-01-01 }",
    ] {
        let text = format!("{HEAD}[registration.1]\nfield = {value}");
        for fault in Form::read(&text).expect_err("faults") {
            let shown = format!("{fault} {fault:?}");
            assert!(!shown.contains(value) && !shown.contains("1990"), "{shown}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reading_panic(text in ".{0,200}") {
        let _ = Form::read(&text);
        let _ = Form::read(&format!("{HEAD}[registration.1]\n{text}"));
    }
}
