//! Forms of the answers: each open question of form, both ways.

use super::*;
use crate::ordering::{requirements, wire};

fn order(change: impl FnOnce(&mut Readings)) -> Value {
    let mut play = Play::reading(change);
    let id = play.create_au();
    let order = &play.model.orders[&id];
    wire::order(order, "project", &play.model.script.readings)
}

#[test]
fn an_order_is_shown_as_documented() {
    let order = order(|_| {});
    let price = |amount: &str| json!({"currencyCode": "EUR", "amount": amount});
    assert_eq!(order["idNumberOrder"].as_str().map(str::len), Some(26));
    let mut rest = order.clone();
    rest.as_object_mut()
        .expect("an object")
        .remove("idNumberOrder");
    assert_eq!(
        rest,
        json!({
            "projectId": "project",
            "regionCode": "AU",
            "state": "CREATED",
            "numberType": "MOBILE",
            "orderNumbers": [{
                "phoneNumber": "+61491571000",
                "numberPrice": {
                    "setupPrice": price("1.00"),
                    "monthlyPrice": price("3.50"),
                    "paymentIntervalMonths": 1,
                },
                "capabilities": ["SMS"],
            }],
            "smsConfiguration": {"servicePlanId": "plan"},
            "expireTime": "2026-02-03T05:05:06.123456Z",
            "createTime": "2026-02-03T04:05:06.123456Z",
            "updateTime": "2026-02-03T04:05:06.123456Z",
        })
    );
}

#[test]
fn times_have_the_digits_that_were_chosen() {
    for (fractions, created, updated) in [
        (Fractions::None, "06Z", "06Z"),
        (Fractions::Three, "06.123Z", "06.123Z"),
        (Fractions::Six, "06.123456Z", "06.123456Z"),
        (Fractions::Nine, "06.123456000Z", "06.123456000Z"),
    ] {
        let order = order(|readings| readings.fractions = fractions);
        for (key, end) in [("createTime", created), ("updateTime", updated)] {
            let time = order[key].as_str().expect("a time");
            assert!(time.ends_with(&format!(":{end}")), "{fractions:?}: {time}");
        }
    }
    let mut play = Play::reading(|readings| readings.fractions = Fractions::Mixed);
    let id = play.place_au("codes");
    play.settle();
    let readings = &play.model.script.readings;
    let active = play.model.active("+61491571000").expect("active");
    let shown = wire::order(&play.model.orders[&id], "project", readings).to_string()
        + &wire::active(active, "project", readings).to_string();
    let lengths = shown.split('"').filter(|text| text.starts_with("2026-"));
    let lengths: std::collections::BTreeSet<usize> = lengths.map(str::len).collect();
    assert!(lengths.len() > 1, "{shown}");
}

#[test]
fn what_is_not_set_has_three_forms() {
    for (unset, voice, expire, campaign) in [
        (Unset::Absent, None, None, None),
        (
            Unset::Null,
            Some(Value::Null),
            Some(Value::Null),
            Some(Value::Null),
        ),
        (
            Unset::Empty,
            Some(Value::Null),
            Some("".into()),
            Some("".into()),
        ),
    ] {
        let order = order(|readings| {
            (readings.unset, readings.expire_time) = (unset, ExpireTime::Unset);
        });
        assert_eq!(order.get("voiceConfiguration"), voice.as_ref(), "{unset:?}");
        assert_eq!(order.get("expireTime"), expire.as_ref(), "{unset:?}");
        let sms = &order["smsConfiguration"];
        assert_eq!(sms.get("campaignId"), campaign.as_ref(), "{unset:?}");
    }
    let mut play = Play::reading(|readings| readings.unset = Unset::Mixed);
    play.place_au("codes");
    play.settle();
    let readings = &play.model.script.readings;
    let active = play.model.active("+61491571000").expect("active");
    let shown = wire::active(active, "project", readings);
    assert!(shown.to_string().contains("null") && shown.to_string().contains("\"\""));
    assert!(shown.to_string().matches("Id\"").count() < 8, "{shown}");
}

#[test]
fn nothing_required_is_said_in_two_ways() {
    let mut readings = plain();
    let refused = requirements::lookup(false, &readings);
    assert_eq!(refused, Err(Refusal::NothingRequired));
    readings.nothing_required = NothingRequired::Empty;
    let empty = requirements::lookup(false, &readings).expect("empty");
    assert_eq!(
        (&empty["fields"]["rules"], &empty["attachments"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn requirements_have_their_places() {
    for (place, sentences, pointer, key) in [
        (
            AttachmentsPlace::Beside,
            RuleSentences::Message,
            "/attachments",
            "message",
        ),
        (
            AttachmentsPlace::Inside,
            RuleSentences::Messages,
            "/fields/attachments",
            "messages",
        ),
    ] {
        let mut readings = plain();
        (readings.attachments_place, readings.rule_sentences) = (place, sentences);
        let lookup = requirements::lookup(true, &readings).expect("rules");
        let documents = lookup.pointer(pointer).and_then(Value::as_array);
        let ids: Vec<&Value> = documents
            .expect("a list")
            .iter()
            .map(|one| &one["id"])
            .collect();
        assert_eq!(ids, [LETTER, IDENTITY]);
        assert_eq!(lookup.to_string().matches("allowedMimeTypes").count(), 2);
        let rules = lookup["fields"]["rules"].as_array().expect("a list");
        assert_eq!(rules.len(), 3);
        let postal = &rules[1]["template"]["properties"][6];
        assert_eq!(postal["name"], "postalCode");
        assert_eq!(postal[key]["pattern"], "Four digits.");
        let second = &rules[1]["template"]["properties"][2];
        assert_eq!(second.get("required"), None, "{second}");
    }
}

#[test]
fn a_registration_lists_its_documents_in_several_ways() {
    for (list, id, before) in [
        (AttachmentList::WhenUploaded, AttachmentId::Lookup, 0),
        (AttachmentList::Upfront, AttachmentId::Own, 1),
    ] {
        let mut play = Play::reading(|readings| {
            (readings.attachment_list, readings.attachment_id) = (list, id);
        });
        let order = play.create_au();
        let shown = |play: &Play| {
            let order = &play.model.orders[&order];
            wire::registration(order, &play.model.script.readings)
        };
        assert_eq!(shown(&play)["requestDetails"], json!({}));
        play.register(&order, "codes").expect("a good form");
        let listed = shown(&play)["attachments"].take();
        assert_eq!(listed.as_array().map(Vec::len), Some(before), "{list:?}");
        let own = listed[0]["attachmentId"]
            .as_str()
            .unwrap_or(LETTER)
            .to_owned();
        assert_eq!(own == LETTER, id == AttachmentId::Lookup);
        for path in [LETTER, &own] {
            let uploaded = play.model.upload(order.as_str(), path, pdf(9), play.now);
            assert_eq!(uploaded, Ok(()), "{path}");
        }
        let uploaded = shown(&play)["attachments"].take();
        assert_eq!(uploaded.as_array().map(Vec::len), Some(1));
        assert_eq!(uploaded[0]["uploadStatus"], "COMPLETED");
        assert_eq!(uploaded[0]["fileName"], "hidden.pdf");
    }
}

fn callback(content: Content, salt: u128) -> Value {
    let announcement = Announcement {
        order: Id::new("o1").expect("an id"),
        url: None,
        content,
        said_at: START,
        send_at: START,
        copies: 1,
        salt,
    };
    let body = wire::callback(&announcement, "project");
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn callbacks_about_orders_say_their_state() {
    let body = callback(Content::Order(State::Blocked), 1);
    let expected = json!({
        "eventId": body["eventId"],
        "timestamp": "2026-02-03T04:05:06.123456000",
        "projectId": "project",
        "resourceId": "o1",
        "resourceType": "NUMBER_ORDER",
        "eventType": "NUMBER_ORDER_PROCESSING",
        "status": "BLOCKED",
    });
    assert_eq!(body, expected);
    let nulls = callback(Content::Order(State::Blocked), 4);
    assert_eq!(nulls.get("failureCode"), Some(&Value::Null));
    assert_eq!(nulls.get("internalFailureCode"), Some(&Value::Null));
}

#[test]
fn callbacks_about_numbers_have_codes_but_for_the_sms_platform() {
    for failure in Failure::ALL {
        let content = Content::Number {
            number: "+12015550100".to_owned(),
            step: failure.step,
            is_undone: false,
            failure: Some(failure),
        };
        let body = callback(content, 1);
        assert_eq!(body["resourceType"], "ACTIVE_NUMBER");
        assert_eq!(body["resourceId"], "+12015550100");
        assert_eq!(body["status"], "FAILED");
        let code = body.get("failureCode").and_then(Value::as_str);
        let event = body["eventType"].as_str();
        if failure.step == Step::Sms {
            assert_eq!((code, event), (None, Some("PROVISIONING_TO_SMS_PLATFORM")));
        } else {
            assert_eq!(code, Some(failure.code));
        }
        let internal = body.get("internalFailureCode").and_then(Value::as_str);
        assert_eq!(internal, failure.internal, "{}", failure.code);
    }
    let undone = Content::Number {
        number: "+12015550100".to_owned(),
        step: Step::Campaign,
        is_undone: true,
        failure: None,
    };
    let body = callback(undone, 1);
    assert_eq!(body["eventType"], "DEPROVISIONING_FROM_CAMPAIGN");
    assert_eq!(body["status"], "SUCCEEDED");
}
