//! When the next fetch is sent, and what holds it up, in words.

use std::time::Duration;

use serde_json::Value;

use crate::commands::ages::span;
use crate::commands::fetching;
use crate::commands::invocation::Invocation;
use crate::commands::service::time;
use number_order::{Time, counted};

/// Time after which a fetch that is due is overdue. Until then it waits for no more than its turn.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

/// What the service says of fetches, from its status.
pub(super) struct Fetches<'a> {
    /// The answer of `/status`.
    pub status: &'a Value,
    pub now: Time,
    pub invocation: &'a Invocation,
}

impl Fetches<'_> {
    /// Returns when a fetch for a project is sent that is planned for `at`, and what holds it up: the end of a sentence that
    /// begins with "the next fetch".
    pub fn next(&self, project: &str, at: Time) -> String {
        if !self.status["orders_not_fetched"][project].is_null() {
            return "is not sent: its project says api = \"off\", or is not configured any more"
                .to_owned();
        }
        let late = self.now.since(at);
        let is_overdue = at < self.now && late >= OVERDUE_AFTER;
        let api = &self.status["api"][project];
        let circuit = fetching::open_circuit(api, self.now);
        let circuit = circuit.map(|circuit| format!("the circuit of its project {circuit}"));
        let failing = fetching::failing(api, self.now);
        let failing = failing.map(|failing| format!("of its project, {failing}"));
        let cause = circuit.or(failing);
        let cause = cause.or_else(|| is_overdue.then(|| self.queue()));
        let when = if at > self.now {
            format!("is planned for {}", to_the_second(at))
        } else if is_overdue {
            format!("has been due for {}", span(late))
        } else {
            "is due now".to_owned()
        };
        match cause {
            Some(cause) if at > self.now => format!("{when}; {cause}"),
            Some(cause) => format!("{when}: {cause}"),
            None => when,
        }
    }

    /// Returns what a fetch waits for that nothing else holds up.
    fn queue(&self) -> String {
        let due = self.status["orders_due"].as_u64().unwrap_or(0);
        let oldest = time(self.status, "oldest_due_at").map_or_else(String::new, |at| {
            format!(", the oldest for {}", span(self.now.since(at)))
        });
        format!(
            "{} due{oldest}; `status` says if anything is wrong",
            counted(due, "order is", "orders are")
        )
    }
}

fn to_the_second(at: Time) -> Time {
    Time(at.0 - at.0.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Time of the tables: 2026-01-31T12:00:00Z.
    const NOW: Time = Time(1_769_860_800_000_000);

    #[test]
    fn the_next_fetch_says_when_it_is_sent_and_what_holds_it_up() {
        let open = json!({
            "paused": true, "paused_since": "2026-01-31T11:50:00Z", "paused_until": "2026-01-31T12:00:30Z",
            "pause_reason": {"text": "why"},
        });
        let failing = json!({
            "paused": false, "unanswered": 4, "unanswered_since": "2026-01-31T11:59:20Z", "outcome": {"text": "why"},
        });
        let invocation = Invocation::new(None, None);
        for (status, secs, expected) in [
            (json!({}), 90, "is planned for 2026-01-31T12:01:30Z"),
            (json!({}), 0, "is due now"),
            (json!({}), -59, "is due now"),
            (
                json!({"orders_due": 7, "oldest_due_at": "2026-01-31T11:45:00Z"}),
                -720,
                "has been due for 12 min: 7 orders are due, the oldest for 15 min; `status` says if \
                 anything is wrong",
            ),
            (
                json!({"api": {"p": open}}),
                -720,
                "has been due for 12 min: the circuit of its project has been open since 2026-01-31T11:50:00Z, for 10 \
                 min (why); the next probe is planned for 2026-01-31T12:00:30Z",
            ),
            (
                json!({"api": {"p": open}}),
                90,
                "is planned for 2026-01-31T12:01:30Z; the circuit of its project has been open",
            ),
            (
                json!({"api": {"p": failing}}),
                -1,
                "is due now: of its project, the last 4 fetches failed, the first 40 s ago (why)",
            ),
            (json!({"api": {"q": open}}), -1, "is due now"),
            (
                json!({"orders_not_fetched": {"p": 3}}),
                -720,
                "is not sent: its project says api = \"off\", or is not configured any more",
            ),
        ] {
            let fetches = Fetches {
                status: &status,
                now: NOW,
                invocation: &invocation,
            };
            let said = fetches.next("p", Time(NOW.0 + secs * 1_000_000));
            assert!(said.starts_with(expected), "{status}: {said}");
        }
    }
}
