//! The rules as tables: every known state, every claimed state, every relation in time.

use std::time::Duration;

mod answers;
mod attempts;
mod codes;
mod doubts;
mod events;
mod following;
mod invariants;
mod readiness;
mod schedule;

use super::*;

#[test]
fn only_the_digits_of_a_uuid_may_be_in_either_case() {
    let uuid = "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2aa";
    for (id, text, same) in [
        (uuid, uuid, true),
        (uuid, "0D8E2A47-6A7C-4BD9-8D55-90C3F1C1E2AA", true),
        (uuid, "0d8e2a47-6a7c-4bd9-8d55-90c3f1c1e2ab", false),
        (uuid, "0d8e2a476a7c4bd98d5590c3f1c1e2aa", false),
        (
            "01kdvdnd42472bfxv9sfamm3kt",
            "01KDVDND42472BFXV9SFAMM3KT",
            false,
        ),
        ("p", "P", false),
        ("p", "p", true),
        ("p", "", false),
    ] {
        let id = Id::new(id).expect("an id");
        assert_eq!(id.is_named(text), same, "{id} {text}");
    }
}

#[test]
fn ids_that_could_leave_the_path_are_refused() {
    for id in [
        "", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "ä", "a\\b", "a\nb",
    ] {
        assert_eq!(Id::new(id), None, "{id:?}");
    }
    for byte in r#"/\?#%"<>^`{|}"#.chars() {
        assert_eq!(Id::new(format!("a{byte}b")), None, "{byte:?}");
    }
    assert_eq!(Id::new("x".repeat(129)), None);
    for id in [
        "01jgkbb8xywmz3hhahd76menqf",
        "+1234567890",
        "project-456",
        "...",
    ] {
        assert!(Id::new(id).is_some(), "{id}");
    }
}

const STALENESS: Duration = Duration::from_secs(15);
const STALENESS_MAX: Duration = Duration::from_secs(300);

fn policy() -> Policy {
    Policy::new(STALENESS, STALENESS_MAX)
}

/// Returns the time at a whole second.
fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

/// Second in which the known state came about, by Sinch's clock.
const KNOWN: i64 = 1000;
/// Second in which events are received and fetches are sent.
const NOW: i64 = 2000;

fn event(status: Status, said_at: Option<i64>) -> Event {
    Event {
        status,
        said_at: said_at.map(at),
        received_at: at(NOW),
    }
}

fn confirmed(state: State) -> Order {
    Order {
        confirmed: Some(Confirmed {
            state,
            updated_at: at(KNOWN),
            expires_at: None,
            confirmed_at: at(KNOWN + 1),
            shown_at: at(NOW - 1),
            reopened: false,
        }),
        ..Order::new(at(0))
    }
}

fn provisional(state: State) -> Order {
    Order {
        provisional: Some(Provisional {
            state,
            said_at: at(KNOWN),
        }),
        hints: vec![Hint {
            state: Some(state),
            said_at: Some(at(KNOWN)),
            heard_at: at(NOW),
        }],
        ..Order::new(at(0))
    }
}

fn shown(state: State, updated: i64) -> Answer {
    Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(updated),
        expires_at: None,
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    })
}

fn blocked() -> Status {
    Status::Known(State::Blocked)
}

fn apply_at(order: &Order, event: Event, now: i64) -> EventsApplied {
    apply_events(order, &[event], at(now), &policy())
}

fn decide_one(order: &Order, status: Status, said: Option<i64>) -> (Decision, EventsApplied) {
    let applied = apply_events(order, &[event(status, said)], at(NOW), &policy());
    (applied.decisions[0].clone(), applied)
}

/// Reason why the order is parked that a test begins with.
fn attempts_used_up() -> ParkReason {
    ParkReason::AttemptsUsedUp {
        attempts: 30,
        last: FetchOutcome::Answer(Outcome::NotFound),
    }
}
