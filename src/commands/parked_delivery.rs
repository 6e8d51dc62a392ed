//! One parked callback: its story, what cures it, and its body.

use serde_json::{Value, json};

use super::command_error::CommandError;
use super::invocation::Invocation;
use super::output::print_line;
use super::service::{Service, print_json, read, second, text};
use super::shown;
use super::words::print_field;
use number_order::counted;

/// What cures a parked callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cure {
    /// The project's API is on again, and the callback is replayed.
    ApiOn,
    /// A row of the database is repaired, and the callback is replayed.
    RowRepaired,
    /// Nothing: its body will never say anything else. It is read and dismissed.
    None,
}

impl Cure {
    /// Returns what cures a callback with this decision.
    pub fn of(decision: &str) -> Cure {
        match decision {
            "api-off" => Cure::ApiOn,
            "order-unreadable" | "order-unwritable" | "delivery-unreadable" => Cure::RowRepaired,
            _ => Cure::None,
        }
    }

    fn in_words(self, delivery: &str, invocation: &Invocation) -> String {
        let replay = || invocation.whole_command(&["replay", delivery]);
        match self {
            Cure::ApiOn => format!(
                "once its project says api = \"on\" and the service has reloaded: {}",
                replay()
            ),
            Cure::RowRepaired => format!(
                "once the row is repaired, as docs/operate.md says: {}",
                replay()
            ),
            Cure::None => format!(
                "read the body; processed anew it would say the same, so then: {}",
                invocation.whole_command(&["dismiss", "deliveries", delivery])
            ),
        }
    }
}

/// Prints the story of a callback, and its body.
pub(super) async fn print(
    service: &Service,
    delivery: u64,
    json: bool,
    invocation: &Invocation,
) -> Result<(), CommandError> {
    let path = format!("/api/v1/deliveries/{delivery}");
    let not_shown = |error| CommandError::service(format!("not shown: {error}"));
    let row = service.find(&path).await.map_err(not_shown)?;
    let row = row.ok_or_else(|| CommandError::service("not shown: there is no such delivery"))?;
    let body = service.get(&format!("{path}/body")).await;
    let row: Value = read(&row)?;
    if json {
        let body = body.map_err(not_shown)?;
        print_json(&json!({ "delivery": row, "body": body }).to_string());
        return Ok(());
    }
    for (name, text) in story(&row, invocation) {
        print_field(name, &text);
    }
    print_line("");
    print_line(shown::lines(&body.map_err(not_shown)?));
    Ok(())
}

/// Returns the story of a callback, a line for each part of it.
fn story(row: &Value, invocation: &Invocation) -> Vec<(&'static str, String)> {
    let id = row["id"].to_string();
    let about = match row["order"].as_str() {
        Some(order) => format!(", about order {order}"),
        None => String::new(),
    };
    let again = match row["duplicates"].as_u64() {
        None | Some(0) => String::new(),
        Some(times) => format!(", and {} again", counted(times, "time", "times")),
    };
    let mut lines = vec![
        (
            "delivery",
            format!("{id} of project {}{about}", text(row, "project")),
        ),
        ("event", text(row, "event").to_owned()),
        ("received", format!("{}{again}", second(row, "received_at"))),
    ];
    if let Some(status) = row["status"].as_str() {
        let said_at = second(row, "said_at");
        let at = if said_at.is_empty() {
            said_at
        } else {
            format!(" at {said_at}")
        };
        lines.push(("says", format!("{status}{at}")));
    }
    let decision = &row["decision"];
    let reason = decision["text"]
        .as_str()
        .unwrap_or("it is not processed yet");
    lines.push((phase_word(row), reason.to_owned()));
    if text(row, "phase") == "parked" {
        let cure = Cure::of(text(decision, "code"));
        lines.push(match row["dismissed_at"].as_str() {
            Some(_) => ("dismissed", format!("at {}", second(row, "dismissed_at"))),
            None => ("what to do", cure.in_words(&id, invocation)),
        });
    }
    lines
}

/// Returns the word for what was done with a callback.
fn phase_word(row: &Value) -> &'static str {
    match text(row, "phase") {
        "parked" => "parked",
        "recorded" => "recorded",
        "processed" => "processed",
        _ => "waits",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::{Kept, NotUnderstood};
    use strum::VariantNames;

    #[test]
    fn replay_is_offered_only_where_it_can_cure() {
        for (code, expected) in [
            ("api-off", Cure::ApiOn),
            ("order-unreadable", Cure::RowRepaired),
            ("order-unwritable", Cure::RowRepaired),
            ("delivery-unreadable", Cure::RowRepaired),
        ] {
            assert!(Kept::VARIANTS.contains(&code), "{code} is a code");
            assert_eq!(Cure::of(code), expected, "{code}");
        }
        for code in NotUnderstood::VARIANTS {
            assert_eq!(Cure::of(code), Cure::None, "{code}");
        }
        // The one kind that is recorded and never parked.
        let parked = Kept::VARIANTS
            .iter()
            .filter(|code| **code != "other-resource");
        for code in parked {
            assert_ne!(Cure::of(code), Cure::None, "{code} has a cure");
        }
    }

    #[test]
    fn the_story_of_a_callback_ends_with_what_to_do() {
        let invocation = Invocation::new(None, None);
        let mut row = json!({
            "id": 85, "project": "p", "order": null, "event": "sha256:1", "status": null, "said_at": null,
            "received_at": "2026-01-31T12:00:00.5Z", "phase": "parked", "duplicates": 1,
            "decision": {"code": "body-not-json", "text": "the body is not JSON (line 1, column 2)"},
        });
        let in_words = |row: &Value| {
            let lines = story(row, &invocation).into_iter();
            let lines = lines.map(|(name, text)| format!("{name}: {text}"));
            let words = lines.collect::<Vec<_>>().join("\n");
            words.replace('\u{a0}', " ")
        };
        let words = in_words(&row);
        for expected in [
            "delivery: 85 of project p\n",
            "received: 2026-01-31T12:00:00Z, and 1 time again\n",
            "parked: the body is not JSON (line 1, column 2)\n",
            "dismiss deliveries 85",
        ] {
            assert!(words.contains(expected), "{expected}: {words}");
        }
        assert!(!words.contains("replay"), "{words}");
        row["decision"]["code"] = "api-off".into();
        row["order"] = "o1".into();
        row["status"] = "BLOCKED".into();
        row["said_at"] = "2026-01-31T11:00:00Z".into();
        let words = in_words(&row);
        assert!(words.contains("about order o1\n"), "{words}");
        assert!(
            words.contains("says: BLOCKED at 2026-01-31T11:00:00Z"),
            "{words}"
        );
        assert!(words.ends_with("replay 85"), "{words}");
        row["dismissed_at"] = "2026-01-31T13:00:00Z".into();
        let words = in_words(&row);
        assert!(
            words.ends_with("dismissed: at 2026-01-31T13:00:00Z"),
            "{words}"
        );
    }
}
