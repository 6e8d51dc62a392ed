//! Section `[[targets]]`: other systems that are told of changes, each with what it is told, and how.

mod destination;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use notifications::{Filter, Format, RetrySchedule, TypePattern};
use number_order::{Id, State};

pub use self::destination::Destination;
use super::Project;
use crate::config::keys::doc::ShownValue;
use crate::config::keys::reader::Reader;
use crate::config::source::key::Key;

/// Types of events that a target is told unless others are named. Alerts are for operators.
const TYPES: [&str; 2] = ["order.*", "number.*"];

/// Maximum number of waits between attempts.
const WAITS_MAX: usize = 100;

/// Bounds of the waits between attempts, in seconds: up to a week.
const WAIT_SECS: RangeInclusive<f64> = 0.01..=604_800.0;

/// Bounds of the time-out of an attempt, in seconds. A slot is held for as long.
const ATTEMPT_SECS: RangeInclusive<f64> = 0.1..=300.0;

/// Table of `[[targets]]`: a system that is told of changes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name of the target, of letters, digits, `-` and `_`.
    pub name: String,
    /// Receiver of what the target is told.
    pub destination: Destination,
    /// Events that the target is told.
    pub filter: Filter,
    /// Form in which the target is told.
    pub format: Format,
    /// Maximum number of attempts per second; `None`: there is none.
    pub requests_per_second: Option<f64>,
    /// Maximum number of attempts in flight.
    pub max_in_flight: usize,
    /// Maximum time for an attempt.
    pub timeout: Duration,
    /// Waits between the attempts to tell one event.
    pub retries: RetrySchedule,
}

impl Target {
    /// Reads the section `[[targets]]`. There need be none; names are distinct.
    pub(crate) fn read_all(reader: &mut Reader<'_>, projects: &[Project]) -> Vec<Target> {
        let text = "A system of yours that is told of each change. Repeat the whole table for each further one; without \
                    any, nobody is told.";
        let read = reader.optional_list("targets", text, |reader| read_target(reader, projects));
        let mut names = BTreeMap::new();
        for (index, target) in read.iter().enumerate() {
            let Some(target) = target else { continue };
            if let Some(first) = names.insert(&target.name, index) {
                let at = Key::new("targets").index(index).name("name");
                let what = format!("targets[{first}] has the same name; give each its own");
                reader.fault(&at, &what);
            }
        }
        read.into_iter().flatten().collect()
    }
}

/// Reads a target of the configuration; `None` if it has no name, or nowhere to go.
fn read_target(reader: &mut Reader<'_>, projects: &[Project]) -> Option<Target> {
    let name = reader
        .doc(
            "Name of the target, of letters, digits, - and _. What it has not been told yet is kept under this name.",
        )
        .name("name", "\"crm\"");
    let given = destination::read_keys(reader);
    let filter = read_filter(reader, projects);
    let format = reader
        .doc(
            "Form of what is sent: the event as JSON, in an envelope of CloudEvents 1.0, or in words: a message as Slack and \
             what is compatible with it take it, or plain text.",
        )
        .word(
            "format",
            &[
                ("json", Format::Json),
                ("cloudevents", Format::CloudEvents),
                ("slack", Format::Slack),
                ("text", Format::Text),
            ],
        );
    let destination = destination::check(reader, given, format);
    let requests_per_second = reader
        .doc("Maximum number of attempts started per second; without it, there is none.")
        .optional_number("requests_per_second", "10", 0.001..=100_000.0);
    let max_in_flight = reader
        .doc("Maximum number of attempts in flight. Of one order there is never more than one.")
        .whole("max_in_flight", 8, 1..=256);
    let timeout = reader
        .doc("Maximum time for an attempt, from the connection to the answer. A command is killed then.")
        .seconds("timeout_secs", 15.0, ATTEMPT_SECS);
    let retries = read_retries(reader);
    Some(Target {
        name: name?,
        destination: destination?,
        filter,
        format,
        requests_per_second,
        max_in_flight,
        timeout,
        retries,
    })
}

fn read_filter(reader: &mut Reader<'_>, projects: &[Project]) -> Filter {
    let shown = ShownValue::Default(format!("{TYPES:?}"));
    let types = reader
        .doc(
            "Types of events that the target is told, such as order.blocked, or `order.*` for all of a family. Alerts are told \
             only if they are named.",
        )
        .texts("types", shown, type_pattern);
    if types.as_ref().is_some_and(Vec::is_empty) {
        let what = "the target would be told nothing; name types, or leave the key out";
        reader.fault(&reader.at("types"), what);
    }
    let any = || ShownValue::Default("[]".to_owned());
    Filter {
        types: types.unwrap_or_else(|| TYPES.into_iter().filter_map(TypePattern::new).collect()),
        provisional: reader
            .doc("true: the target is also told what only a callback claims, before Sinch has confirmed it.")
            .flag("provisional", false),
        projects: reader
            .doc("Ids of the projects of which the target is told; an empty list: all.")
            .texts("projects", any(), |text| project(text, projects))
            .unwrap_or_default(),
        regions: reader
            .doc("Regions of orders of which the target is told, such as SE; an empty list: all.")
            .texts("regions", any(), region)
            .unwrap_or_default(),
        states: reader
            .doc("States of orders of which the target is told, such as BLOCKED; an empty list: all.")
            .texts("states", any(), state)
            .unwrap_or_default(),
    }
}

fn type_pattern(text: &str) -> Result<TypePattern, String> {
    TypePattern::new(text).ok_or_else(|| {
        let all = TypePattern::all().join(", ");
        format!("no event has such a type; write one of {all}")
    })
}

fn project(text: &str, projects: &[Project]) -> Result<Id, String> {
    let mut ids = projects.iter().map(|project| &project.id);
    ids.find(|id| id.as_str() == text)
        .cloned()
        .ok_or_else(|| "no table of [[projects]] has this id; copy it from there".to_owned())
}

fn region(text: &str) -> Result<String, String> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    Err("write a region's two capital letters, as Sinch does: SE".to_owned())
}

fn state(text: &str) -> Result<State, String> {
    State::from_word(text).ok_or_else(|| {
        let all = State::ALL.map(State::as_str).join(", ");
        format!("no order has such a state; write one of {all}")
    })
}

fn read_retries(reader: &mut Reader<'_>) -> RetrySchedule {
    let standard = RetrySchedule::default();
    let standard = standard.waits().iter().map(|wait| wait.as_secs_f64());
    let waits = reader
        .doc(
            "Waits after the attempts that fail, each up to a fifth longer by chance. After the last wait comes the last \
             attempt; if it fails, the notification is parked.",
        )
        .seconds_list("retry_waits_secs", &standard.collect::<Vec<_>>(), WAIT_SECS);
    if waits.len() > WAITS_MAX {
        let what = format!("write at most {WAITS_MAX} waits");
        reader.fault(&reader.at("retry_waits_secs"), &what);
    }
    RetrySchedule::new(waits)
}
