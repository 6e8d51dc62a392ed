//! The closed lists: each value goes into a code with fields and back, and the document says what each code means.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strum::VariantNames;

use super::*;

/// The lists of codes, each with its heading in the document.
fn lists() -> [(&'static str, Vec<&'static str>); 13] {
    [
        ("Decisions on events", Decision::VARIANTS.to_vec()),
        ("Deliveries that are kept", Kept::VARIANTS.to_vec()),
        (
            "Callbacks that are not understood",
            NotUnderstood::VARIANTS.to_vec(),
        ),
        ("Outcomes of answers", Outcome::VARIANTS.to_vec()),
        ("Fetches without an answer", NoAnswer::VARIANTS.to_vec()),
        ("Flaws of answers", Flaw::VARIANTS.to_vec()),
        ("Causes of transitions", Cause::VARIANTS.to_vec()),
        ("Reasons for parked orders", ParkReason::VARIANTS.to_vec()),
        ("Kinds of alerts", AlertKind::VARIANTS.to_vec()),
        ("Readiness of numbers", Readiness::VARIANTS.to_vec()),
        ("Steps of placements", StepKind::VARIANTS.to_vec()),
        ("Outcomes of steps", StepOutcome::VARIANTS.to_vec()),
        ("Standings of placements", Standing::VARIANTS.to_vec()),
    ]
}

#[test]
fn the_document_lists_every_code_and_no_other() {
    let document = include_str!("../../../../docs/codes.md");
    for (heading, codes) in lists() {
        let section = document.split(&format!("## {heading}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/codes.md has no section {heading:?}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, codes, "docs/codes.md, {heading}");
    }
}

/// The lists of codes in one column have no code in common.
#[test]
fn codes_of_one_column_differ() {
    for lists in [
        [Decision::VARIANTS, Kept::VARIANTS, NotUnderstood::VARIANTS],
        [Outcome::VARIANTS, NoAnswer::VARIANTS, &[]],
    ] {
        let all: Vec<&str> = lists.concat();
        let distinct: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a literal stands in every call"
)]
fn assert_round_trip<T>(value: &T, code: &str, fields: Value)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let stored = serde_json::to_value(value).expect("every value has a form");
    let expected = if fields.is_null() {
        json!({ "code": code })
    } else {
        json!({ "code": code, "fields": fields })
    };
    assert_eq!(stored, expected);
    let read: T = serde_json::from_value(stored).expect("what was written can be read");
    assert_eq!(read, *value);
}

#[test]
fn a_value_is_a_code_with_fields() {
    let stale = Decision::Stale {
        said: State::Created,
        known: State::InReview,
        known_at: Time(1_750_000_000_123_456),
    };
    let fields = json!({
        "said": "CREATED", "known": "IN_REVIEW", "known_at": "2025-06-15T15:06:40.123456Z"
    });
    assert_round_trip(&stale, "stale", fields.clone());
    assert_round_trip(
        &DeliveryDecision::Event(stale.clone()),
        "stale",
        fields.clone(),
    );
    let off = DeliveryDecision::Kept(Kept::ApiOff { decision: stale });
    let nested = json!({ "decision": { "code": "stale", "fields": fields } });
    assert_round_trip(&off, "api-off", nested);
    let word = Decision::UnknownStatus {
        said: Status::Unknown("PAUSED".to_owned()),
    };
    assert_round_trip(&word, "unknown-status", json!({ "said": "PAUSED" }));
    let body = DeliveryDecision::NotUnderstood(NotUnderstood::BodyNotAnObject);
    assert_round_trip(&body, "body-not-an-object", Value::Null);
    let timed_out = NoAnswer::TimedOut {
        endpoint: Endpoint::Token,
    };
    let last = FetchOutcome::NoAnswer(timed_out);
    assert_round_trip(&last, "timed-out", json!({ "endpoint": "token" }));
    let parked = ParkReason::AttemptsUsedUp { attempts: 3, last };
    let last = json!({ "code": "timed-out", "fields": { "endpoint": "token" } });
    assert_round_trip(
        &parked,
        "attempts-used-up",
        json!({ "attempts": 3, "last": last }),
    );
    let unusable = NoAnswer::UnusableAnswer {
        endpoint: Endpoint::Orders,
        status: 200,
        flaw: Flaw::NoState,
    };
    let fields = json!({ "endpoint": "orders", "status": 200, "flaw": "no-state" });
    assert_round_trip(&FetchOutcome::NoAnswer(unusable), "unusable-answer", fields);
    assert_round_trip(
        &FetchOutcome::Answer(Outcome::NotFound),
        "not-found",
        Value::Null,
    );
    assert_round_trip(&Cause::Event, "event", Value::Null);
    let expiring = AlertKind::expiring(Duration::from_secs(7200));
    assert_round_trip(&expiring, "expiring", json!({ "within_ms": 7_200_000 }));
}

#[test]
fn what_is_said_of_numbers_is_a_code_with_fields() {
    let event = OtherEvent {
        resource_type: "ACTIVE_NUMBER".to_owned(),
        resource: Some("+46700000001".to_owned()),
        status: Some("SUCCEEDED".to_owned()),
        ..OtherEvent::default()
    };
    let other = DeliveryDecision::Kept(Kept::OtherResource(event));
    let fields = json!({
        "resource_type": "ACTIVE_NUMBER", "resource": "+46700000001", "status": "SUCCEEDED"
    });
    assert_round_trip(&other, "other-resource", fields);
    let failures = vec![FailedLink {
        service: Service::Campaign,
        codes: vec!["CAMPAIGN_EXPIRED".to_owned()],
    }];
    let fields = json!({ "failures": [{ "service": "campaign", "codes": ["CAMPAIGN_EXPIRED"] }] });
    assert_round_trip(&Readiness::Failed { failures }, "failed", fields);
    assert_round_trip(&Readiness::Ready, "ready", Value::Null);
}

/// The code that a value returns is the one under which it is stored.
#[test]
fn the_code_is_the_stored_one() {
    let outcome = Outcome::ExpiredUnseen;
    assert_eq!(outcome.code(), "expired-unseen");
    assert_eq!(Cause::Answer { outcome }.code(), "answer");
    assert_eq!(Flaw::ByteOrderMark.code(), "byte-order-mark");
    assert_eq!(
        serde_json::to_value(Flaw::ByteOrderMark).ok(),
        Some(json!("byte-order-mark"))
    );
    assert_eq!(
        AlertKind::long_blocked(Duration::ZERO).code(),
        "long-blocked"
    );
    assert_eq!(NotUnderstood::UnusableOrderId.code(), "unusable-order-id");
}
