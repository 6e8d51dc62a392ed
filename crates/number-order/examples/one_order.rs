//! Applies events and then an answer to one order, and prints each decision and the order's state after it.
//!
//! ```text
//! cargo run -p number-order --example one_order
//! ```
//!
//! The events come in the wrong order, and the last one of Sinch's is lost. The rules read no clock: every time is an
//! argument, so this prints the same on any day.

use std::time::Duration;

use number_order::{
    Answer, Backoff, Event, FetchAttempt, Order, Policy, Snapshot, State, Status, Time,
    apply_attempt, apply_events,
};

/// Time at which the example begins: 2026-02-03, 04:05:06 UTC.
const START: Time = Time(1_770_091_506_000_000);

/// Returns the time that lies the given number of seconds after the start.
fn at(secs: u64) -> Time {
    START.plus(Duration::from_secs(secs))
}

fn main() {
    // Sinch's answers are usually up to 15 s old, and never more than 5 minutes.
    let policy = Policy::new(Duration::from_secs(15), Duration::from_secs(300));
    let backoff = Backoff {
        base: Duration::from_secs(5),
        cap: Duration::from_secs(900),
        attempts_max: 8,
    };

    // An order becomes known with its first event. Until an answer comes, events alone move it, by their time stamps
    // and not by the order in which they arrive.
    let mut order = Order::new(at(10));
    for (status, said_at, received_at) in [
        (State::Blocked, 9, 10),
        (State::InReview, 4, 11),
        (State::Blocked, 9, 12),
    ] {
        let event = Event {
            status: Status::Known(status),
            said_at: Some(at(said_at)),
            received_at: at(received_at),
        };
        let applied = apply_events(&order, &[event], at(received_at), &policy);
        for decision in &applied.decisions {
            println!("event {status}: {decision}");
        }
        order = applied.order;
        print_state(&order);
    }

    // Sinch answers that the order is completed: no event has said so. What the answer shows is confirmed.
    let result = Ok(Answer::Found(Snapshot {
        state: Status::Known(State::Completed),
        updated_at: at(20),
        expires_at: None,
        unreadable_expiry: None,
        details: None,
        sent_at: Some(at(40)),
    }));
    let attempt = FetchAttempt {
        fetched_at: at(40),
        result: &result,
        healthy: true,
        now: at(41),
        jitter: 0.5,
    };
    let applied = apply_attempt(&order, attempt, &policy, &backoff);
    println!("answer COMPLETED: {}", applied.outcome);
    print_state(&applied.order);
}

fn print_state(order: &Order) {
    let state = order.state().map_or("unknown", State::as_str);
    let proof = match &order.provisional {
        Some(_) => "provisional: only an event says so",
        None => "confirmed: Sinch has shown it",
    };
    match order.fetch_at {
        Some(fetch_at) => println!("  {state}, {proof}; next fetch at {fetch_at}"),
        None => println!("  {state}, {proof}; at rest"),
    }
}
