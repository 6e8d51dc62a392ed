//! What comes next for an order, in words, with the command that an operator may need.

use serde_json::Value;

use super::waits::Fetches;
use crate::commands::invocation::Invocation;
use crate::commands::service::{list, second, text, time};
use number_order::Time;

/// Returns what comes next for an order, as the service shows it.
pub(super) fn next(order: &Value, fetches: &Fetches<'_>) -> String {
    let invocation = fetches.invocation;
    let name = text(order, "order");
    if !order["parked"].is_null() {
        let fetch = invocation.whole_command(&["fetch", name]);
        return format!("nothing until an event comes, or you have it fetched: {fetch}");
    }
    let next = of_state(order, invocation);
    let fetch = next_fetch_at(order).map_or_else(String::new, |at| {
        let fetch = fetches.next(text(order, "project"), at);
        format!("; the next fetch {fetch}")
    });
    let open = if list(order, "hints").is_empty() {
        ""
    } else {
        "; a fetch settles what callbacks claim"
    };
    format!("{next}{open}{fetch}")
}

/// Returns the time for which the next fetch of an order, or of one of its numbers, is planned; `None`: none is.
pub(super) fn next_fetch_at(order: &Value) -> Option<Time> {
    let of_numbers = list(order, "readiness")
        .iter()
        .filter_map(|number| time(number, "fetch_at"));
    time(order, "fetch_at").into_iter().chain(of_numbers).min()
}

fn of_state(order: &Value, invocation: &Invocation) -> String {
    match order["state"].as_str() {
        None => "the first answer of Sinch says where it stands".to_owned(),
        Some("CREATED") => {
            let until = order["expires_at"]
                .as_str()
                .map(|_| second(order, "expires_at"));
            let until = until
                .map(|until| format!(" before {until}"))
                .unwrap_or_default();
            let place = invocation.whole_command(&["order", "place", "FORM"]);
            format!("it must be registered and submitted{until}: {place}")
        }
        Some("IN_REVIEW") => "Sinch reviews it, which can take days".to_owned(),
        Some("BLOCKED") => {
            let name = text(order, "order");
            let why = invocation.whole_command(&["order", "show", name, "--reasons"]);
            let fix = invocation.whole_command(&["order", "fix", name, "--form", "FORM"]);
            format!("correct its form ({why} says why), then: {fix}")
        }
        Some("REJECTED") => "nothing: only a new order, with other data, can succeed".to_owned(),
        Some("EXPIRED") => "nothing: its reservation has run out; place a new order".to_owned(),
        Some("COMPLETED") => of_numbers(order),
        Some(_) => "a fetch says where it stands".to_owned(),
    }
}

fn of_numbers(order: &Value) -> String {
    let numbers = list(order, "readiness");
    let failed = numbers
        .iter()
        .any(|one| one["readiness"]["code"] == "failed");
    if failed {
        "a number could not be linked: see its failure below".to_owned()
    } else if !order["ready_at"].is_null() {
        "nothing: its numbers are ready".to_owned()
    } else {
        "Sinch makes its numbers ready".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_state_has_what_comes_next() {
        let invocation = Invocation::new(None, None);
        let fetches = Fetches {
            status: &Value::Null,
            now: Time(0),
            invocation: &invocation,
        };
        for (order, expected) in [
            (json!({"order": "o1", "parked": {"code": "x"}}), "fetch o1"),
            (json!({"state": null}), "first answer"),
            (
                json!({"state": "CREATED", "expires_at": "2026-01-31T12:00:00.5Z"}),
                "before 2026-01-31T12:00:00Z",
            ),
            (
                json!({"state": "IN_REVIEW", "fetch_at": "2026-01-31T12:00:00Z"}),
                "planned for 2026-01-31T12:00:00Z",
            ),
            (
                json!({"state": "IN_REVIEW", "hints": ["BLOCKED"]}),
                "a fetch settles",
            ),
            (
                json!({"state": "BLOCKED", "order": "o1"}),
                "order fix o1 --form FORM",
            ),
            (json!({"state": "REJECTED"}), "a new order"),
            (json!({"state": "EXPIRED"}), "run out"),
            (
                json!({"state": "COMPLETED", "ready_at": "2026-01-31T12:00:00Z"}),
                "are ready",
            ),
            (
                json!({"state": "COMPLETED", "readiness": [{"fetch_at": "2026-01-31T12:00:00Z"}]}),
                "makes its numbers ready; the next fetch is planned for 2026-01-31T12:00:00Z",
            ),
            (
                json!({"state": "COMPLETED", "readiness": [{"readiness": {"code": "failed"}}]}),
                "could not be linked",
            ),
        ] {
            let next = next(&order, &fetches).replace('\u{a0}', " ");
            assert!(next.contains(expected), "{order}: {next}");
        }
    }
}
