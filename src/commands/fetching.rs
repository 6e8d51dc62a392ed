//! How the fetches of a project stand, in words, from the answer of `/status`.

use serde_json::Value;

use super::ages::span;
use super::service::{second, text, time};
use number_order::{Time, counted};

/// Number of fetches in a row without an answer that are worth a word. Fewer can be chance.
const UNANSWERED_MIN: u64 = 3;

/// Returns for how long a project's circuit has been open and why, and when the next fetch tries; `None`: it is closed.
pub(super) fn open_circuit(api: &Value, now: Time) -> Option<String> {
    if api["paused"] != true {
        return None;
    }
    let open = time(api, "paused_since").map_or_else(
        || "is open".to_owned(),
        |at| {
            let since = second(api, "paused_since");
            format!("has been open since {since}, for {}", span(now.since(at)))
        },
    );
    let probe = match time(api, "paused_until") {
        Some(until) if until > now => format!("is planned for {}", second(api, "paused_until")),
        _ => "is due now".to_owned(),
    };
    let reason = text(&api["pause_reason"], "text");
    Some(format!("{open} ({reason}); the next probe {probe}"))
}

/// Returns how many of a project's last fetches had no answer, since when and why; `None`: the last one had one, or it can
/// be chance.
pub(super) fn failing(api: &Value, now: Time) -> Option<String> {
    let unanswered = api["unanswered"].as_u64()?;
    if unanswered < UNANSWERED_MIN {
        return None;
    }
    let first = time(api, "unanswered_since").map_or_else(String::new, |at| {
        format!(", the first {} ago", span(now.since(at)))
    });
    let last = text(&api["outcome"], "text");
    Some(format!(
        "the last {unanswered} fetches failed{first} ({last})"
    ))
}

/// Returns how many orders of a project wait for an answer of Sinch's; `None`: none does.
pub(super) fn waiting(status: &Value, project: &str) -> Option<String> {
    let orders = status["orders_unsettled_by_project"][project].as_u64()?;
    let waiting = counted(orders, "order waits", "orders wait");
    (orders > 0).then(|| format!("{waiting} for an answer"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Time of the tables: 2026-01-31T12:00:00Z.
    const NOW: Time = Time(1_769_860_800_000_000);

    #[test]
    fn an_open_circuit_is_told_with_its_time_reason_and_next_probe() {
        let mut api = json!({
            "paused": true, "paused_since": "2026-01-31T11:50:00.25Z", "paused_until": "2026-01-31T12:00:30.5Z",
            "pause_reason": {"text": "the Number Order API did not answer in time"},
        });
        assert_eq!(
            open_circuit(&api, NOW).as_deref(),
            Some(
                "has been open since 2026-01-31T11:50:00Z, for 9 min (the Number Order API did not answer in time); the next \
                 probe is planned for 2026-01-31T12:00:30Z"
            )
        );
        api["paused_until"] = "2026-01-31T11:59:59Z".into();
        let words = open_circuit(&api, NOW).expect("it is open");
        assert!(words.ends_with("the next probe is due now"), "{words}");
        api["paused"] = false.into();
        assert_eq!(open_circuit(&api, NOW), None);
        assert_eq!(open_circuit(&Value::Null, NOW), None);
    }

    #[test]
    fn failures_in_a_row_are_told_once_they_can_be_no_chance() {
        let api = |unanswered: u64| {
            json!({
                "unanswered": unanswered, "unanswered_since": "2026-01-31T11:59:20Z",
                "outcome": {"text": "no answer: the Number Order API answered 503"},
            })
        };
        for few in [0, 1, 2] {
            assert_eq!(failing(&api(few), NOW), None, "{few}");
        }
        assert_eq!(
            failing(&api(3), NOW).as_deref(),
            Some(
                "the last 3 fetches failed, the first 40 s ago (no answer: the Number Order API answered 503)"
            )
        );
    }

    #[test]
    fn orders_that_wait_are_counted() {
        let status = json!({"orders_unsettled_by_project": {"p": 1, "q": 0}});
        let waits = waiting(&status, "p");
        assert_eq!(waits.as_deref(), Some("1 order waits for an answer"));
        assert_eq!(waiting(&status, "q"), None);
        assert_eq!(waiting(&status, "r"), None);
    }
}
