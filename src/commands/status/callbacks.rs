//! Callbacks that need an operator: refused, waiting, in quarantine or parked.

use std::time::Duration;

use super::trouble::{Cure, Found, Trouble, command, counted_in, object};
use crate::commands::ages::{ago, span};
use crate::commands::service::time;
use number_order::counted;

/// Time for which callbacks may wait to be processed.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Time for which refused requests are told of: later they are history.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// Refusals of requests that came from where callbacks come from, which may have lost something genuine.
const REFUSALS: [(&str, &str); 4] = [
    (
        "signature",
        "compare the project's secret with the one that Sinch has",
    ),
    ("store", "see why the database did not take them in the log"),
    ("size", "raise callbacks.body_max_bytes"),
    (
        "encoding",
        "make the proxy pass bodies on as they come, without compression",
    ),
];

/// Reasons for which callbacks are in quarantine, each with what is wrong and what mends it.
const QUARANTINED: [(&str, &str, &str); 2] = [
    (
        "wrong-signature",
        "none of the project's secrets makes the signature",
        "put the secret that Sinch has into projects.secrets and reload; then:",
    ),
    (
        "unknown-source",
        "the signature is valid, and the address is not allowed",
        "if Sinch says that the address is its own, put it into callbacks.allow and reload; then:",
    ),
];

impl Found<'_> {
    pub(super) fn refusals(&self) -> Vec<Trouble> {
        let refused = REFUSALS.iter().filter_map(|(reason, cure)| {
            let refused = &self.status["callbacks_refused"][*reason];
            let last_at = time(refused, "last_at")?;
            (self.now.since(last_at) < REFUSED_FOR).then(|| Trouble {
                code: "callbacks-refused",
                text: format!(
                    "{} refused since {} because of the {reason}, the last {}",
                    counted_in(refused, "count", "request was", "requests were"),
                    self.counted_since(),
                    ago(last_at, self.now)
                ),
                cures: vec![Cure::Words(cure)],
            })
        });
        refused.collect()
    }

    pub(super) fn backlog(&self) -> Vec<Trouble> {
        let waits = time(self.status, "oldest_pending_at").map(|at| self.now.since(at));
        let late = waits.filter(|waits| *waits > WAIT_MAX);
        let late = late.map(|waits| Trouble {
            code: "callbacks-wait",
            text: format!(
                "{} to be processed, the oldest for {}",
                counted(
                    self.count("deliveries_waiting"),
                    "callback waits",
                    "callbacks wait"
                ),
                span(waits)
            ),
            cures: vec![Cure::Words(
                "see if the machine is busy, or the log has a reason",
            )],
        });
        late.into_iter().collect()
    }

    /// Callbacks in quarantine. What cures them depends on what was wrong with them.
    pub(super) fn quarantined(&self) -> Vec<Trouble> {
        let of_reason = |reason: &str| {
            let projects = object(&self.status["quarantined"]).iter();
            projects
                .filter_map(|(_, kept)| kept[reason].as_u64())
                .sum::<u64>()
        };
        let each = QUARANTINED.iter().filter_map(|(reason, what, cure)| {
            let kept = of_reason(reason);
            (kept > 0).then(|| Trouble {
                code: "quarantined",
                text: format!(
                    "{} perhaps genuine: {what}",
                    counted(
                        kept,
                        "callback was refused and is",
                        "callbacks were refused and are",
                    )
                ),
                cures: vec![
                    command(&["quarantine", "--reason", reason]),
                    Cure::Words(cure),
                    command(&["reverify"]),
                ],
            })
        });
        each.collect()
    }

    pub(super) fn deliveries(&self) -> Vec<Trouble> {
        let deliveries = self.count("deliveries_parked");
        let deliveries = (deliveries > 0).then(|| Trouble {
            code: "deliveries-parked",
            text: counted(
                deliveries,
                "callback is parked: it changed no order",
                "callbacks are parked: they changed no order",
            ),
            // What cures one follows from its reason, and some cannot be cured.
            cures: vec![Cure::Words("why, and what to do:"), command(&["parked"])],
        });
        deliveries.into_iter().collect()
    }
}
