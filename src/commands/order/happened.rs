//! What happened to an order, from all lists of its history, in the sequence in which it did.

use number_order::Time;
use serde_json::Value;

use crate::commands::service::{list, text, time};

/// Something that happened: when, who or what did it, and in words what it was.
pub(super) type Happened = (Option<Time>, &'static str, String);

/// Returns all that happened to an order, the oldest first.
pub(super) fn happened(order: &Value) -> Vec<Happened> {
    let deliveries = list(order, "deliveries").iter().map(delivery);
    let fetches = list(order, "fetches").iter().map(fetch);
    let transitions = list(order, "transitions").iter().map(transition);
    let alerts = list(order, "alerts").iter().flat_map(alert);
    let mut all: Vec<Happened> = deliveries
        .chain(fetches)
        .chain(transitions)
        .chain(alerts)
        .collect();
    // The sort is stable: of one moment, what is received comes before the change that it makes.
    all.sort_by_key(|(at, ..)| *at);
    all
}

fn delivery(delivery: &Value) -> Happened {
    let about = delivery["status"].as_str().unwrap_or("a number");
    let decision = delivery["decision"]["text"].as_str();
    let again = match delivery["duplicates"].as_u64() {
        None | Some(0) => String::new(),
        Some(1) => " (and once again)".to_owned(),
        Some(duplicates) => format!(" (and {duplicates} times again)"),
    };
    let decision = decision.unwrap_or("waits to be processed");
    let words = format!("{about}{again}: {decision}");
    (time(delivery, "received_at"), "callback", words)
}

fn fetch(fetch: &Value) -> Happened {
    let outcome = text(&fetch["outcome"], "text").to_owned();
    (time(fetch, "fetched_at"), "fetch", outcome)
}

fn transition(transition: &Value) -> Happened {
    let from = transition["from_state"].as_str().unwrap_or("unknown");
    let trust = if transition["confirmed"] == true {
        "confirmed"
    } else {
        "provisional"
    };
    let words = format!("{from} → {}, {trust}", text(transition, "to_state"));
    (time(transition, "recorded_at"), "state", words)
}

fn alert(alert: &Value) -> Vec<Happened> {
    let what = text(&alert["alert"], "text");
    let fired = (time(alert, "fired_at"), "alert", what.to_owned());
    let resolved = time(alert, "resolved_at");
    let resolved = resolved.map(|at| (Some(at), "alert", format!("resolved: {what}")));
    [Some(fired), resolved].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_lists_become_one_story() {
        let order = json!({
            "deliveries": [{
                "received_at": "2026-01-01T00:00:02Z", "status": "IN_REVIEW", "duplicates": 1,
                "decision": {"text": "first event"},
            }],
            "fetches": [{"fetched_at": "2026-01-01T00:00:03Z", "outcome": {"text": "Sinch shows IN_REVIEW"}}],
            "transitions": [
                {"recorded_at": "2026-01-01T00:00:02Z", "from_state": null, "to_state": "IN_REVIEW", "confirmed": false},
                {"recorded_at": "2026-01-01T00:00:04Z", "from_state": "IN_REVIEW", "to_state": "BLOCKED", "confirmed": true},
            ],
            "alerts": [{
                "alert": {"text": "IN_REVIEW for long"}, "fired_at": "2026-01-01T00:00:01Z",
                "resolved_at": "2026-01-01T00:00:05Z",
            }],
        });
        let words: Vec<(&str, String)> = happened(&order)
            .into_iter()
            .map(|(_, who, what)| (who, what))
            .collect();
        let expected = [
            ("alert", "IN_REVIEW for long"),
            ("callback", "IN_REVIEW (and once again): first event"),
            ("state", "unknown → IN_REVIEW, provisional"),
            ("fetch", "Sinch shows IN_REVIEW"),
            ("state", "IN_REVIEW → BLOCKED, confirmed"),
            ("alert", "resolved: IN_REVIEW for long"),
        ];
        assert_eq!(words, expected.map(|(who, what)| (who, what.to_owned())));
    }
}
