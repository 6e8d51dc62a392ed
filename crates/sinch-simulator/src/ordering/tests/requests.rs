//! Requests of clients: the body of a create, a registration, a file.

use super::*;
use crate::ordering::refusal::Violation;
use crate::ordering::requirements;
use crate::ordering::stock::Filter;

fn faults(refused: Result<impl Sized, Refusal>) -> Vec<String> {
    match refused {
        Err(Refusal::Invalid {
            violations,
            message,
        }) if violations.is_empty() => vec![message],
        Err(Refusal::Invalid { violations, .. }) => violations
            .into_iter()
            .map(|Violation { field, .. }| field)
            .collect(),
        Err(other) => vec![format!("{other:?}")],
        Ok(_) => Vec::new(),
    }
}

#[test]
fn a_create_says_what_is_wrong_with_it() {
    let with = |key: &str, value: Value| {
        let mut body = us();
        body[key] = value;
        body
    };
    for (body, places) in [
        (us(), vec![]),
        (with("smsConfiguration", Value::Null), vec![]),
        (with("callbackUrl", "".into()), vec![]),
        (with("regionCode", Value::Null), vec!["regionCode"]),
        (with("numberType", 1.into()), vec!["numberType"]),
        (
            with("numberType", "FIXED".into()),
            vec!["parsing field \"numberType\": \"FIXED\" is not a valid value"],
        ),
        (
            with("regionCode", "ZZ".into()),
            vec!["No such numbers can be had"],
        ),
        (
            with("quantityOrderOption", json!({"requestedQuantity": 1})),
            vec![""],
        ),
        (with("numberOrderOption", Value::Null), vec![""]),
        (
            with("numberOrderOption", json!({"phoneNumbers": ["+1", "+2"]})),
            vec!["numberOrderOption.phoneNumbers"],
        ),
        (
            with("smsConfiguration", json!({})),
            vec!["smsConfiguration.servicePlanId"],
        ),
        (
            with("voiceConfiguration", json!({})),
            vec!["voiceConfiguration.type"],
        ),
        (
            with("voiceConfiguration", json!({"type": "EST", "appId": "a"})),
            vec!["voiceConfiguration.trunkId"],
        ),
        (with("callbackUrl", "ftp://x".into()), vec!["callbackUrl"]),
    ] {
        let read = new_order::read(&body, PatternAlone::Start);
        assert_eq!(faults(read), places, "{body}");
    }
    for (quantity, is_good) in [(0, false), (1, true), (100, true), (101, false)] {
        let mut body = with("numberOrderOption", Value::Null);
        body["quantityOrderOption"] = json!({"requestedQuantity": quantity});
        let read = new_order::read(&body, PatternAlone::Start);
        assert_eq!(read.is_ok(), is_good, "{quantity}");
    }
}

fn data(change: impl Fn(&mut Value)) -> Value {
    let mut data = form("codes")["requestDetails"]["data"].take();
    change(&mut data);
    data
}

#[test]
fn a_registration_says_what_is_wrong_with_it() {
    for (data, violated) in [
        (data(|_| {}), vec![]),
        // A part may be an object, or a list.
        (data(|data| data[0] = data[0][0].take()), vec![]),
        (
            data(|data| data[1]["city"] = "".into()),
            vec!["city is required"],
        ),
        (
            data(|data| data[1]["postalCode"] = "70000".into()),
            vec!["postalCode must have at most 4 characters"],
        ),
        (
            data(|data| data[1]["postalCode"] = "7OOO".into()),
            vec!["postalCode must match ^[0-9]{4}$"],
        ),
        (
            data(|data| data[1]["country"] = "au".into()),
            vec!["country must match ^[A-Z]{2}$"],
        ),
        (
            data(|data| data[0][0]["senderId"] = "+6149157100".into()),
            vec!["senderId must match ^[+]61[0-9]{9}$"],
        ),
        (
            data(|data| data[0][0]["intendedUseOfMobileNumbers"] = "Fun".into()),
            vec!["intendedUseOfMobileNumbers must be one of Transactional, Promotional"],
        ),
        (
            data(|data| {
                data[0][0]["iConfirmThatMyBusinessHasAValidUseCaseForThisLn"] = false.into();
            }),
            vec!["iConfirmThatMyBusinessHasAValidUseCaseForThisLn must be confirmed"],
        ),
        (
            data(|data| data[2]["firstName"] = 7.into()),
            vec!["firstName must be a text"],
        ),
        (
            json!([data(|_| {})[0], data(|_| {})[1]]),
            vec![
                "firstName is required",
                "lastName is required",
                "phoneNumber is required",
            ],
        ),
        (json!({}), vec![" data must be a list"]),
    ] {
        let mut readings = plain();
        readings.field_notation = FieldNotation::Bare;
        let found = requirements::violations(&data, &readings);
        let found: Vec<String> = found
            .iter()
            .map(|violation| format!("{} {}", violation.field, violation.description))
            .collect();
        assert_eq!(found, violated);
    }
}

#[test]
fn a_violation_is_written_in_several_ways() {
    let mut data = form("codes")["requestDetails"]["data"].take();
    data[1]["state"] = "Tasmania".into();
    for (notation, text, field, description) in [
        (
            FieldNotation::Whole,
            ViolationText::Plain,
            "requestDetails.data[1].state",
            "must have",
        ),
        (
            FieldNotation::Data,
            ViolationText::Plain,
            "data[1].state",
            "must have",
        ),
        (
            FieldNotation::Pointer,
            ViolationText::Plain,
            "/requestDetails/data/1/state",
            "must have",
        ),
        (
            FieldNotation::Bare,
            ViolationText::Quoting,
            "state",
            "'Tasmania' must have",
        ),
    ] {
        let mut readings = plain();
        (readings.field_notation, readings.violation_text) = (notation, text);
        let found = requirements::violations(&data, &readings);
        assert_eq!(found[0].field, field);
        assert!(
            found[0].description.starts_with(description),
            "{notation:?}"
        );
        assert!(!format!("{found:?}").contains("Tasmania"));
    }
}

#[test]
fn a_file_must_be_what_the_document_allows() {
    let typed = |mime_type: &str, document_type: &str| File {
        mime_type: mime_type.to_owned(),
        document_type: document_type.to_owned(),
        ..pdf(9)
    };
    for (document, file, fault) in [
        (LETTER, pdf(9), vec![]),
        (LETTER, pdf(100), vec![]),
        (LETTER, pdf(0), vec!["file"]),
        (LETTER, pdf(101), vec!["TooLarge"]),
        (LETTER, typed("image/png", ""), vec!["file"]),
        (IDENTITY, typed("image/png", "Passport"), vec![]),
        (
            IDENTITY,
            typed("image/png", "Library card"),
            vec!["documentType"],
        ),
    ] {
        let mut play = Play::new(|script| script.upload_max_bytes = 100);
        let id = play.create_au();
        let context = format!("{document} {file:?}");
        let uploaded = play.model.upload(id.as_str(), document, file, play.now);
        assert_eq!(faults(uploaded), fault, "{context}");
    }
    let mut play = Play::new(|_| {});
    let (au, us) = (play.create_au(), play.create_us());
    for (order, document) in [
        (au.as_str(), "other"),
        (us.as_str(), LETTER),
        ("none", LETTER),
    ] {
        let uploaded = play.model.upload(order, document, pdf(9), play.now);
        assert!(matches!(uploaded, Err(Refusal::Missing { .. })), "{order}");
    }
}

#[test]
fn nothing_personal_is_printed() {
    let mut play = Play::new(|_| {});
    let id = play.place_au("BLOCK-ONCE");
    play.settle();
    assert_eq!(play.state(&id), State::Blocked);
    let printed = format!("{:?}", play.model);
    for personal in [
        "Bakery",
        "Hidden",
        "Nora",
        "+61491570156",
        "hidden.pdf",
        "BLOCK-ONCE",
    ] {
        assert!(!printed.contains(personal), "{personal}");
    }
    assert!(
        printed.contains("plan"),
        "the control: what is not personal"
    );
}

#[test]
fn a_filter_sees_the_whole_number() {
    let number = "+12015550100";
    for (part, place, alone, is_found) in [
        ("+1201", Some("START"), PatternAlone::Contains, true),
        ("1201", Some("START"), PatternAlone::Contains, false),
        ("555", Some("CONTAINS"), PatternAlone::Start, true),
        ("0100", Some("END"), PatternAlone::Start, true),
        ("555", Some("END"), PatternAlone::Start, false),
        ("555", None, PatternAlone::Contains, true),
        ("555", None, PatternAlone::Start, false),
        ("+1", None, PatternAlone::Start, true),
    ] {
        let pattern = new_order::pattern_of(Some(part), place, alone).expect("a place");
        let mut filter = Filter {
            capabilities: vec!["SMS".to_owned()],
            pattern,
        };
        assert_eq!(
            filter.allows(number, &["SMS"]),
            is_found,
            "{part} {place:?}"
        );
        filter.capabilities.push("VOICE".to_owned());
        assert!(!filter.allows(number, &["SMS"]), "{part}");
    }
    let nowhere = new_order::pattern_of(Some("1"), Some("MIDDLE"), PatternAlone::Start);
    assert!(nowhere.is_err());
    let nothing = new_order::pattern_of(None, Some("END"), PatternAlone::Start);
    assert_eq!(nothing, Ok(None));
}
