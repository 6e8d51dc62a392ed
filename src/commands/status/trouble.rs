//! What needs an operator, as the status of the service shows it: the worst first, each with what cures it.

use serde_json::{Map, Value};

use crate::commands::ages::ago;
use crate::commands::invocation::Invocation;
use crate::commands::service::{list, text, time};
use number_order::{Time, counted};

/// Seconds by which the clock may be set without a restart.
const CLOCK_SET_MAX_SECS: i64 = 60;

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

pub(super) fn command(arguments: &[&str]) -> Cure {
    Cure::Command(arguments.iter().map(|one| (*one).to_owned()).collect())
}

impl Found<'_> {
    /// Returns all that needs an operator, the worst first.
    pub fn troubles(&self) -> Vec<Trouble> {
        [
            self.readiness(),
            self.refusals(),
            self.fetches(),
            self.backlog(),
            self.clock(),
            self.alerts(),
            self.service_alerts(),
            self.quarantined(),
            self.parked(),
            self.deliveries(),
            self.numbers(),
            self.targets(),
            self.rows(),
            self.projects(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Returns the moment from which on the service has counted, in words.
    pub fn counted_since(&self) -> String {
        time(self.status, "reloaded_at").map_or_else(
            || "the start".to_owned(),
            |at| format!("the reload {}", ago(at, self.now)),
        )
    }

    pub(super) fn count(&self, key: &str) -> u64 {
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
                text: self.as_fired(alert),
                cures,
            })
        });
        untold.collect()
    }

    /// Returns an alert with the age of its figures: they are those of the moment at which it fired.
    fn as_fired(&self, alert: &Value) -> String {
        let fired = time(alert, "fired_at").map(|at| format!(" (as of {})", ago(at, self.now)));
        let project = match text(alert, "project") {
            "" => String::new(),
            project => format!("{project}: "),
        };
        let words = text(&alert["alert"], "text");
        format!("{project}{words}{}", fired.unwrap_or_default())
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
        let rows = list(self.status, "rows_unreadable").len() as u64;
        let unreadable = (rows > 0).then(|| Trouble {
            code: "rows-unreadable",
            text: counted(
                rows,
                "row of the database cannot be read",
                "rows of the database cannot be read",
            ),
            cures: vec![Cure::Words(
                "repair them as docs/operate.md says; the log names each",
            )],
        });
        unreadable.into_iter().collect()
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

/// Returns a number of an object with the words for one or for several.
pub(super) fn counted_in(object: &Value, key: &str, one: &str, several: &str) -> String {
    counted(object[key].as_u64().unwrap_or(0), one, several)
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
