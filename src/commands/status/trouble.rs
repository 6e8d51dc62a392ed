//! What needs an operator, as the status of the service shows it: the worst first, each with what cures it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::commands::ages::{ago, span};
use crate::commands::invocation::Invocation;
use crate::commands::service::{list, text, time};
use number_order::Time;

/// Time for which callbacks may wait to be processed.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Seconds by which the clock may be set without a restart.
const CLOCK_SET_MAX_SECS: i64 = 60;

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

/// Alerts about the service that show what no figure does.
const SERVICE_ALERTS: [(&str, &str); 3] = [
    (
        "silence",
        "compare the callback URL at Sinch with yours, and make a call from outside",
    ),
    ("disk-low", "make space on the disk of the database"),
    (
        "secret-drift",
        "take Sinch's secret over, or put the right one into the configuration and reload:",
    ),
];

/// Reasons for which callbacks are in quarantine, each with what is wrong and what mends it.
const QUARANTINED: [(&str, &str, &str); 2] = [
    (
        "wrong-signature",
        "none of the project's secrets makes their signature",
        "put the secret that Sinch has into projects.secrets and reload; then:",
    ),
    (
        "unknown-source",
        "their signature is valid, and their address is not allowed",
        "if Sinch says that the address is its own, put it into callbacks.allow and reload; then:",
    ),
];

/// What was found out about the service.
pub(super) struct Found<'a> {
    /// The answer to `/status`.
    pub status: &'a Value,
    /// Why the service is not ready; `None`: it is.
    pub unready: Option<String>,
    /// Projects with orders that the configuration does not have any more.
    pub not_configured: Vec<String>,
    pub now: Time,
}

/// Something that needs an operator.
#[derive(Debug)]
pub(super) struct Trouble {
    pub code: &'static str,
    pub text: String,
    pub cures: Vec<Cure>,
}

/// What an operator does about something.
#[derive(Debug)]
pub(super) enum Cure {
    /// A command of this program.
    Command(Vec<String>),
    /// Anything else, in words.
    Words(&'static str),
}

impl Cure {
    /// Returns the command line, or the words.
    pub fn in_words(&self, invocation: &Invocation) -> String {
        match self {
            Cure::Command(arguments) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                invocation.command(&arguments)
            }
            Cure::Words(words) => (*words).to_owned(),
        }
    }
}

fn command(arguments: &[&str]) -> Cure {
    Cure::Command(arguments.iter().map(|one| (*one).to_owned()).collect())
}

impl Found<'_> {
    /// Returns all that needs an operator, the worst first.
    pub fn troubles(&self) -> Vec<Trouble> {
        [
            self.readiness(),
            self.refusals(),
            self.circuits(),
            self.backlog(),
            self.clock(),
            self.alerts(),
            self.service_alerts(),
            self.quarantined(),
            self.parked(),
            self.numbers(),
            self.targets(),
            self.rows(),
            self.projects(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn count(&self, key: &str) -> u64 {
        self.status[key].as_u64().unwrap_or(0)
    }

    fn readiness(&self) -> Vec<Trouble> {
        let cure = if self.status["little_space"].is_null() {
            "see the reason in the log; how long Sinch sends a callback again is not documented"
        } else {
            "make space on the disk of the database; the service then goes on by itself"
        };
        let unready = self.unready.iter().map(|reason| Trouble {
            code: "not-ready",
            text: format!("The service is not ready: {reason}"),
            cures: vec![Cure::Words(cure)],
        });
        unready.collect()
    }

    fn refusals(&self) -> Vec<Trouble> {
        let refused = REFUSALS.iter().filter_map(|(reason, cure)| {
            let refused = &self.status["callbacks_refused"][*reason];
            let last_at = time(refused, "last_at")?;
            (self.now.since(last_at) < REFUSED_FOR).then(|| Trouble {
                code: "callbacks-refused",
                text: format!(
                    "{} requests were refused since the start for their {reason}, the last {}",
                    refused["count"],
                    ago(last_at, self.now)
                ),
                cures: vec![Cure::Words(cure)],
            })
        });
        refused.collect()
    }

    fn circuits(&self) -> Vec<Trouble> {
        let projects = object(&self.status["api"]).iter();
        let paused = projects.filter(|(_, api)| api["paused"] == true);
        let paused = paused.map(|(project, api)| Trouble {
            code: "circuit-open",
            text: format!(
                "The orders of project {project} are not fetched until {}: {}",
                text(api, "paused_until"),
                text(&api["pause_reason"], "text")
            ),
            cures: vec![
                Cure::Words("remove the cause; then, so as not to wait for the next probe:"),
                command(&["resume", project]),
            ],
        });
        paused.collect()
    }

    fn backlog(&self) -> Vec<Trouble> {
        let waits = time(self.status, "oldest_pending_at").map(|at| self.now.since(at));
        let late = waits.filter(|waits| *waits > WAIT_MAX);
        let late = late.map(|waits| Trouble {
            code: "callbacks-wait",
            text: format!(
                "{} callbacks wait to be processed, the oldest for {}",
                self.count("deliveries_waiting"),
                span(waits)
            ),
            cures: vec![Cure::Words(
                "see if the machine is busy, or the log has a reason",
            )],
        });
        late.into_iter().collect()
    }

    fn clock(&self) -> Vec<Trouble> {
        let set_by = self.status["clock_set_by_secs"].as_i64().unwrap_or(0);
        if set_by.abs() < CLOCK_SET_MAX_SECS {
            return Vec::new();
        }
        vec![Trouble {
            code: "clock-set",
            text: format!("The clock was set by {set_by} s since the start"),
            cures: vec![Cure::Words("restart the service, so that it follows")],
        }]
    }

    fn alerts(&self) -> Vec<Trouble> {
        let counts = counts(&self.status["orders_needing_attention"]);
        let firing = (!counts.is_empty()).then(|| Trouble {
            code: "orders-need-attention",
            text: format!("Orders need attention: {}", counts.join(", ")),
            cures: vec![command(&["alerts"])],
        });
        firing.into_iter().collect()
    }

    /// Alerts about the service of which its figures show nothing.
    fn service_alerts(&self) -> Vec<Trouble> {
        let alerts = list(self.status, "service_alerts").iter();
        let untold = alerts.filter_map(|alert| {
            // A comparison later than the alert shows the cure; the alert itself is resolved only once it has been quiet.
            let compared = &self.status["secrets"][text(alert, "project")]["comparison"];
            if text(&alert["alert"], "code") == "secret-drift"
                && text(compared, "code") == "matches"
            {
                return None;
            }
            let (code, cure) = SERVICE_ALERTS
                .iter()
                .find(|(code, _)| *code == text(&alert["alert"], "code"))?;
            let mut cures = vec![Cure::Words(cure)];
            if *code == "secret-drift" {
                cures.push(command(&["rotate-secret", text(alert, "project")]));
            }
            Some(Trouble {
                code,
                text: format!(
                    "{} {}",
                    text(alert, "project"),
                    text(&alert["alert"], "text")
                )
                .trim_start()
                .to_owned(),
                cures,
            })
        });
        untold.collect()
    }

    fn parked(&self) -> Vec<Trouble> {
        let orders = self.count("orders_parked");
        let deliveries = self.count("deliveries_parked");
        let orders = (orders > 0).then(|| Trouble {
            code: "orders-parked",
            text: format!("{orders} orders are parked: they are not fetched any more"),
            cures: vec![command(&["parked"]), command(&["fetch", "--parked"])],
        });
        let deliveries = (deliveries > 0).then(|| Trouble {
            code: "deliveries-parked",
            text: format!("{deliveries} callbacks are parked: they were not understood"),
            cures: vec![command(&["parked"]), command(&["replay", "--all"])],
        });
        orders.into_iter().chain(deliveries).collect()
    }

    /// Callbacks in quarantine. What cures them depends on what was wrong with them.
    fn quarantined(&self) -> Vec<Trouble> {
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
                text: format!("{kept} callbacks were refused and are perhaps genuine: {what}"),
                cures: vec![
                    command(&["quarantine", "--reason", reason]),
                    Cure::Words(cure),
                    command(&["reverify"]),
                ],
            })
        });
        each.collect()
    }

    fn numbers(&self) -> Vec<Trouble> {
        let failed = self.status["numbers_not_ready"]["failed"].as_u64();
        let late = self.count("numbers_late");
        let failed = failed
            .filter(|numbers| *numbers > 0)
            .map(|numbers| Trouble {
                code: "numbers-failed",
                text: format!("{numbers} numbers of completed orders could not be linked"),
                cures: vec![command(&["orders", "--readiness", "failed"])],
            });
        let late = (late > 0).then(|| Trouble {
            code: "numbers-late",
            text: format!("{late} numbers are not ready three days after their order"),
            cures: vec![command(&["orders", "--readiness", "late"])],
        });
        failed.into_iter().chain(late).collect()
    }

    fn targets(&self) -> Vec<Trouble> {
        let targets = object(&self.status["targets"]).iter();
        let troubles = targets.flat_map(|(name, target)| {
            list(target, "attention").iter().map(move |reason| Trouble {
                code: "target-needs-attention",
                text: format!("Target {name}: {}", text(reason, "text")),
                cures: target_cures(name, text(reason, "code")),
            })
        });
        troubles.collect()
    }

    fn rows(&self) -> Vec<Trouble> {
        let rows = list(self.status, "rows_unreadable").len();
        let unreadable = (rows > 0).then(|| Trouble {
            code: "rows-unreadable",
            text: format!("{rows} rows of the database cannot be read"),
            cures: vec![Cure::Words(
                "repair them as docs/operate.md says; the log names each",
            )],
        });
        unreadable.into_iter().collect()
    }

    fn projects(&self) -> Vec<Trouble> {
        let projects = self.not_configured.iter().map(|project| Trouble {
            code: "project-not-configured",
            text: format!(
                "{} orders of project {project} are not fetched: it is not configured",
                self.status["orders_not_fetched"][project]
            ),
            cures: vec![
                Cure::Words("configure it again, or remove what is left of it:"),
                command(&["drop-project", project]),
            ],
        });
        projects.collect()
    }
}

fn target_cures(name: &str, reason: &str) -> Vec<Cure> {
    match reason {
        "parked" => vec![
            command(&[
                "events",
                "notifications",
                "--target",
                name,
                "--phase",
                "parked",
            ]),
            command(&["events", "redrive", "--target", name]),
        ],
        "not-configured" => vec![Cure::Words(
            "configure a target of this name again: what waits for it is then sent",
        )],
        _ => vec![
            Cure::Words("remove the cause; then, so as not to wait for the next attempt:"),
            command(&["events", "resume", name]),
        ],
    }
}

/// Returns the counts of an object that are not zero, each with its name.
pub(super) fn counts(by_name: &Value) -> Vec<String> {
    let counts = object(by_name).iter();
    let counts = counts.filter(|(_, count)| count.as_u64() > Some(0));
    counts
        .map(|(name, count)| format!("{count} {name}"))
        .collect()
}

/// Returns the members of an object; none where there is no object.
pub(super) fn object(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}
