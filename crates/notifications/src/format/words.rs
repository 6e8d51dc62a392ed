//! An event in words.

use std::fmt::Write;

use super::stored::Stored;
use crate::EventType;

/// Number of telephone numbers of an order that are named; of more, only how many there are.
const NUMBERS_SHOWN: usize = 10;

/// An event in words: a sentence, and what is known beside it. No value has a line break or another control character,
/// so no text of others makes lines of its own.
pub(super) struct Words {
    sentence: String,
    details: Option<String>,
    facts: Vec<(&'static str, String)>,
}

impl Words {
    pub(super) fn of(event: &Stored) -> Words {
        let test = if event.is_test() { "Test: " } else { "" };
        Words {
            sentence: one_line(&format!("{test}{}", sentence(event))),
            details: details(event).map(|details| one_line(&details)),
            facts: facts(event),
        }
    }

    /// Returns a message of one or two lines.
    pub(super) fn message(&self) -> String {
        match &self.details {
            Some(details) => format!("{}\n{details}", self.sentence),
            None => self.sentence.clone(),
        }
    }

    /// Returns the sentence in a line that can be a mail's subject, an empty line, and a line for each fact.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.sentence);
        for (name, value) in &self.facts {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

/// Returns what the event is about.
fn about(event: &Stored) -> String {
    match (event.data_text("order"), event.data_text("project")) {
        (Some(order), Some(project)) => format!("order {order} of project {project}"),
        (Some(order), None) => format!("order {order}"),
        (None, Some(project)) => format!("project {project}"),
        (None, None) => "the service".to_owned(),
    }
}

/// Returns what happened, in a sentence. An event that is of no known type, or lacks what its type has, is told by its
/// type and its order.
fn sentence(event: &Stored) -> String {
    let name = event.event_type();
    let about = about(event);
    let known = match name.parse() {
        Ok(event_type) => known_sentence(event_type, event, &about),
        Err(_) => None,
    };
    known.unwrap_or_else(|| format!("{name}: {about}"))
}

fn known_sentence(event_type: EventType, event: &Stored, about: &str) -> Option<String> {
    Some(match event_type {
        EventType::OrderCreated
        | EventType::OrderInReview
        | EventType::OrderBlocked
        | EventType::OrderCompleted
        | EventType::OrderRejected
        | EventType::OrderExpired => {
            let state = event.data_text("state")?;
            let about = capitalized(about);
            if event.data()["confirmed"] == true {
                format!("{about} is {state}")
            } else {
                format!("{about} is said to be {state}, not confirmed")
            }
        }
        EventType::OrderExpiring => {
            format!("{} is {}", capitalized(about), event.sentence("alert")?)
        }
        EventType::NumberReady => format!(
            "Number {} of {about} is ready",
            event.data_text("phone_number")?
        ),
        EventType::NumberFailed => {
            let number = event.data_text("phone_number")?;
            format!(
                "Number {number} of {about}: {}",
                event.sentence("readiness")?
            )
        }
        EventType::AlertFired => format!("Alert about {about}: {}", event.sentence("alert")?),
        EventType::AlertResolved => {
            format!("No more alert about {about}: {}", event.sentence("alert")?)
        }
    })
}

/// Returns the second line of a message: what helps to see to it at once.
fn details(event: &Stored) -> Option<String> {
    let data = event.data();
    let mut parts = Vec::new();
    if let Some(previous) = event.data_text("previous_state") {
        parts.push(format!("before: {previous}"));
    }
    if data["state"] == "CREATED"
        && let Some(expires_at) = event.data_text("expires_at")
    {
        parts.push(format!("expires at {expires_at}"));
    }
    if let Some(region) = data["details"]["region"].as_str() {
        parts.push(format!("region {region}"));
    }
    parts.extend(numbers(event).map(|numbers| format!("numbers {numbers}")));
    (!parts.is_empty()).then(|| capitalized(&parts.join("; ")))
}

/// Returns all that is known, with its names.
fn facts(event: &Stored) -> Vec<(&'static str, String)> {
    let data = event.data();
    let confirmed = data["confirmed"].as_bool();
    let word = confirmed.map(|confirmed| if confirmed { "yes" } else { "no" });
    let text = |name: &str| event.data_text(name).map(str::to_owned);
    let of_order = |name: &str| data["details"][name].as_str().map(str::to_owned);
    let facts = [
        ("Event", Some(event.event_type().to_owned())),
        ("Time", event.timestamp().map(str::to_owned)),
        (
            "Sequence",
            event.sequence().map(|number| number.to_string()),
        ),
        ("Project", text("project")),
        ("Order", text("order")),
        ("State", text("state")),
        ("Confirmed", word.map(str::to_owned)),
        ("Before", text("previous_state")),
        ("Changed at", text("changed_at")),
        ("Cause", text("cause")),
        ("Expires at", text("expires_at")),
        ("Number", text("phone_number")),
        ("Readiness", event.sentence("readiness").map(str::to_owned)),
        ("Alert", event.sentence("alert").map(str::to_owned)),
        ("Fired at", text("fired_at")),
        ("Region", of_order("region")),
        ("Number type", of_order("number_type")),
        ("Numbers", numbers(event)),
    ];
    let known = facts.into_iter();
    known
        .filter_map(|(name, value)| Some((name, one_line(&value?))))
        .collect()
}

/// Returns the telephone numbers of the order.
fn numbers(event: &Stored) -> Option<String> {
    let numbers = event.phone_numbers();
    let shown = numbers[..numbers.len().min(NUMBERS_SHOWN)].join(", ");
    match numbers.len() {
        0 => None,
        1..=NUMBERS_SHOWN => Some(shown),
        all => Some(format!("{shown} and {} more", all - NUMBERS_SHOWN)),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Replaces what could begin a line, or move a cursor.
fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.replace(is_break, " ")
}
