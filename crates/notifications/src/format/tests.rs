use proptest::prelude::*;
use serde_json::Value;
use strum::VariantNames;

use super::*;
use crate::EventType;
use crate::sample;
use number_order::State;

fn rendered(format: Format, event: &str) -> String {
    let content = format.render(event, "evt_42", "sinch-callbacks");
    String::from_utf8(content.body).unwrap()
}

fn message(event: &crate::Event) -> String {
    let sent: Value = serde_json::from_str(&rendered(Format::Slack, &event.json())).unwrap();
    sent["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_form_has_one_name_everywhere() {
    assert_eq!(Format::VARIANTS, ["json", "cloudevents", "slack", "text"]);
    for name in Format::VARIANTS {
        let format: Format = name.parse().unwrap();
        assert_eq!(format.name(), *name);
        assert_eq!(serde_json::to_value(format).unwrap(), *name);
    }
}

#[test]
fn json_is_the_stored_bytes() {
    let stored = r#"{ "type" : "order.created" , "of another": "version"}"#;
    assert_eq!(rendered(Format::Json, stored), stored);
    assert_eq!(
        Format::Json.render(stored, "", "").media_type,
        "application/json"
    );
}

#[test]
fn an_envelope_has_the_attributes_of_cloudevents_and_the_events_data() {
    let claimed = sample::claimed_event().json();
    assert_eq!(
        rendered(Format::CloudEvents, &claimed),
        concat!(
            r#"{"specversion":"1.0","id":"evt_42","source":"sinch-callbacks","type":"order.created","#,
            r#""time":"2026-09-21T14:14:20Z","subject":"example-order","datacontenttype":"application/json","#,
            r#""sequence":"0000000000000000042","test":true,"data":{"project":"example-project","order":"example-order","order_sequence":3,"#,
            r#""state":"CREATED","confirmed":false,"expires_at":null,"details":null,"cause":"event","#,
            r#""changed_at":"2026-09-21T14:13:50Z","previous_state":null}}"#
        )
    );
    let of_service = rendered(Format::CloudEvents, &sample::service_events()[6].json());
    let envelope: Value = serde_json::from_str(&of_service).unwrap();
    assert_eq!(
        (envelope.get("subject"), envelope.get("test")),
        (None, None)
    );
    // Their bytes, not only what they mean.
    let spaced = r#"{"type":"x.y","data":{ "b":1.0, "a":[ ]}}"#;
    assert_eq!(
        rendered(Format::CloudEvents, spaced),
        concat!(
            r#"{"specversion":"1.0","id":"evt_42","source":"sinch-callbacks","type":"x.y","#,
            r#""datacontenttype":"application/json","data":{ "b":1.0, "a":[ ]}}"#
        )
    );
}

#[test]
fn a_message_says_what_happened_and_to_what() {
    let numbers = "region AU; numbers +61491570156, +61491570157";
    for (event, expected) in [
        (
            sample::state_event(State::Completed),
            format!("Order example-order of project example-project is COMPLETED\nBefore: IN_REVIEW; {numbers}"),
        ),
        (
            sample::claimed_event(),
            "Test: Order example-order of project example-project is said to be CREATED, not confirmed".to_owned(),
        ),
        (
            sample::expiring_event(),
            format!(
                "Order example-order of project example-project is not submitted, and expires within 2 h\n\
                 Expires at 2026-09-22T14:13:20Z; {numbers}"
            ),
        ),
        (
            sample::number_event(EventType::NumberReady),
            format!(
                "Number +61491570156 of order example-order of project example-project is ready\nRegion AU; {}",
                &numbers[11..]
            ),
        ),
        (
            sample::number_event(EventType::NumberFailed),
            format!(
                "Number +61491570156 of order example-order of project example-project: failed for 10DLC campaign; CAMPAIGN_NOT_AVAILABLE\n\
                 Region AU; {}",
                &numbers[11..]
            ),
        ),
        (
            sample::alert_event(EventType::AlertFired),
            format!(
                "Alert about order example-order of project example-project: IN_REVIEW for more than 7 d\nRegion AU; {}",
                &numbers[11..]
            ),
        ),
        (
            sample::alert_event(EventType::AlertResolved),
            format!(
                "No more alert about order example-order of project example-project: IN_REVIEW for more than 7 d\nRegion AU; {}",
                &numbers[11..]
            ),
        ),
    ] {
        assert_eq!(message(&event), expected);
    }
}

#[test]
fn an_alert_about_the_service_is_told_in_words() {
    let about = "Alert about project example-project: ";
    let no_more = "No more alert about project example-project: ";
    let expected = [
        format!("{about}1 order is parked"),
        format!("{no_more}2 deliveries were parked within a day"),
        format!("{about}fetches fail: the Number Order API did not answer in time"),
        format!("{no_more}no callback has come since 2026-09-20T14:13:20Z, though Sinch shows 3 changes"),
        format!("{about}callbacks are refused: their signature is missing or wrong"),
        "No more alert about the service: 300000000 bytes are free on the database's disk; \
         below 256000000 callbacks are refused"
            .to_owned(),
        "Alert about the service: callbacks are refused: 0 bytes are free on the database's disk, less than 256000000"
            .to_owned(),
        "No more alert about the service: target \"crm\": all attempts have failed since 2026-09-21T14:08:20Z".to_owned(),
        "Alert about the service: target \"crm\" answered 410: it is told nothing until it is resumed".to_owned(),
        "No more alert about the service: target \"crm\": 4 notifications are parked".to_owned(),
        "Alert about the service: worker retention has done nothing, or nothing but fail, for a minute".to_owned(),
        format!("{no_more}2 callbacks have a valid signature and came from an address that is not allowed: 198.51.100.7"),
        format!(
            "{about}Sinch signs callbacks with a secret that is not configured here, so they are refused; \
             `sinch-callbacks rotate-secret` cures it"
        ),
    ];
    let messages: Vec<String> = sample::service_events().iter().map(message).collect();
    assert_eq!(messages, expected);
    let text = rendered(Format::Text, &sample::service_events()[0].json());
    assert_eq!(
        text,
        "Alert about project example-project: 1 order is parked

Event: alert.fired
Time: 2026-09-21T14:14:20Z
Sequence: 42
Project: example-project
Alert: 1 order is parked
Fired at: 2026-09-21T14:14:05Z
"
    );
}

#[test]
fn a_text_has_a_subject_and_all_that_is_known() {
    let text = Format::Text.render(&sample::state_event(State::Completed).json(), "", "");
    assert_eq!(text.media_type, "text/plain; charset=utf-8");
    assert_eq!(
        String::from_utf8(text.body).unwrap(),
        "Order example-order of project example-project is COMPLETED

Event: order.completed
Time: 2026-09-21T14:14:20Z
Sequence: 42
Project: example-project
Order: example-order
State: COMPLETED
Confirmed: yes
Before: IN_REVIEW
Changed at: 2026-09-21T14:13:50Z
Cause: answer
Expires at: 2026-09-22T14:13:20Z
Region: AU
Number type: MOBILE
Numbers: +61491570156, +61491570157
"
    );
}

#[test]
fn texts_of_others_make_no_mentions_and_no_lines() {
    let event = r#"{"type":"order.blocked","data":{"order":"<!channel>&","state":"BLOCKED\r\nBcc: x",
        "confirmed":true,"details":{"region":"A\u2028B"}}}"#;
    assert_eq!(
        rendered(Format::Slack, event),
        r#"{"text":"Order &lt;!channel&gt;&amp; is BLOCKED  Bcc: x\nRegion A B"}"#
    );
    let text = rendered(Format::Text, event);
    assert_eq!(
        text.lines().next(),
        Some("Order <!channel>& is BLOCKED  Bcc: x")
    );
    assert!(text.contains("State: BLOCKED  Bcc: x\n"));
}

#[test]
fn many_numbers_are_counted() {
    let numbers: Vec<Value> = (0..12)
        .map(|n| json!({"phone_number": format!("+{n}")}))
        .collect();
    let event = json!({"type": "x", "data": {"details": {"numbers": numbers}}}).to_string();
    assert_eq!(
        rendered(Format::Slack, &event),
        r#"{"text":"x: the service\nNumbers +0, +1, +2, +3, +4, +5, +6, +7, +8, +9 and 2 more"}"#
    );
}

#[test]
fn an_event_of_another_version_is_told_by_its_type_and_order() {
    for (event, expected) in [
        (
            r#"{"type":"order.moved","data":{"order":"example-order"}}"#,
            "order.moved: order example-order",
        ),
        (
            r#"{"type":"order.blocked","data":{"project":"example-project"}}"#,
            "order.blocked: project example-project",
        ),
        (
            r#"{"type":"number.ready","data":{}}"#,
            "number.ready: the service",
        ),
        ("", "unknown: the service"),
        ("[1]", "unknown: the service"),
    ] {
        let text = rendered(Format::Text, event);
        assert_eq!(text.lines().next(), Some(expected));
        let envelope: Value = serde_json::from_str(&rendered(Format::CloudEvents, event)).unwrap();
        assert_eq!(envelope["specversion"], "1.0");
    }
}

proptest! {
    /// Every form of anything is of its kind, and the same at each attempt.
    #[test]
    fn a_form_never_fails(event in "\\PC{0,60}", order in "\\PC{0,20}", place in 0..4_usize) {
        let format: Format = Format::VARIANTS[place].parse().unwrap();
        let of_order = json!({"type": "order.blocked", "data": {"order": order}}).to_string();
        for event in [event, of_order] {
            let content = format.render(&event, "evt_1", "here");
            prop_assert_eq!(&format.render(&event, "evt_1", "here"), &content);
            if matches!(format, Format::CloudEvents | Format::Slack) {
                prop_assert!(serde_json::from_slice::<Value>(&content.body).is_ok());
            }
        }
    }
}
