//! Tests of what events mean for an order.

use super::*;

/// Decision about a newer event: a row for each known state, a column for each claimed state, in the order of
/// [`State::ALL`].
const NEWER: [(State, [&str; 6]); 6] = [
    (
        State::Created,
        [
            "agrees",
            "fits",
            "out-of-order",
            "out-of-order",
            "out-of-order",
            "fits",
        ],
    ),
    (
        State::InReview,
        ["out-of-order", "agrees", "fits", "fits", "fits", "fits"],
    ),
    (
        State::Blocked,
        [
            "out-of-order",
            "fits",
            "agrees",
            "out-of-order",
            "fits",
            "fits",
        ],
    ),
    (
        State::Completed,
        [
            "after-final",
            "after-final",
            "after-final",
            "agrees",
            "after-final",
            "after-final",
        ],
    ),
    (
        State::Rejected,
        [
            "after-final",
            "after-final",
            "after-final",
            "after-final",
            "agrees",
            "after-final",
        ],
    ),
    (
        State::Expired,
        [
            "after-final",
            "after-final",
            "after-final",
            "after-final",
            "after-final",
            "agrees",
        ],
    ),
];

#[test]
fn events_against_a_confirmed_state() {
    for (known, row) in NEWER {
        for (said, newer) in State::ALL.into_iter().zip(row) {
            let settled = newer == "agrees" || newer == "after-final";
            let table = [
                (Some(KNOWN + 1), newer),
                (Some(KNOWN), if settled { newer } else { "stale" }),
                (Some(KNOWN - 1), if settled { newer } else { "stale" }),
                (None, if settled { newer } else { "no-time-stamp" }),
            ];
            for (said_at, expected) in table {
                let (decision, applied) =
                    decide_one(&confirmed(known), Status::Known(said), said_at);
                assert_eq!(
                    decision.code(),
                    expected,
                    "{known}, then {said} at {said_at:?}"
                );
                let moved = applied.order.provisional.map(|p| p.state);
                assert_eq!(moved, (expected == "fits").then_some(said));
                assert_eq!(
                    applied.order.confirmed,
                    confirmed(known).confirmed,
                    "never by an event"
                );
                assert_eq!(applied.order.fetch_at.is_some(), expected != "agrees");
                assert_eq!(applied.order.hints.len(), usize::from(expected != "agrees"));
                assert_eq!(applied.transitions.len(), usize::from(expected == "fits"));
            }
        }
    }
}

#[test]
fn events_against_a_provisional_state() {
    for (known, row) in NEWER {
        for (said, newer) in State::ALL.into_iter().zip(row) {
            let newer = match newer {
                "agrees" => "already-claimed",
                // Only a state that Sinch has shown is final.
                "after-final" => "out-of-order",
                other => other,
            };
            let same = newer == "already-claimed";
            let table = [
                (Some(KNOWN + 1), newer),
                (Some(KNOWN), if same { newer } else { "stale" }),
                (None, if same { newer } else { "no-time-stamp" }),
            ];
            for (said_at, expected) in table {
                let (decision, applied) =
                    decide_one(&provisional(known), Status::Known(said), said_at);
                assert_eq!(
                    decision.code(),
                    expected,
                    "{known}, then {said} at {said_at:?}"
                );
                let state = if expected == "fits" { said } else { known };
                assert_eq!(applied.order.state(), Some(state));
                assert!(
                    applied.order.fetch_at.is_some(),
                    "nothing provisional is at rest"
                );
            }
        }
    }
}

#[test]
fn the_first_event_stands_provisionally_and_the_order_is_fetched() {
    for said in State::ALL {
        let (decision, applied) = decide_one(&Order::new(at(0)), Status::Known(said), Some(KNOWN));
        assert_eq!(decision.code(), "first-event");
        assert_eq!(
            (applied.order.state(), applied.order.fetch_at),
            (Some(said), Some(at(NOW)))
        );

        let (_, timeless) = decide_one(&Order::new(at(0)), Status::Known(said), None);
        assert_eq!(
            (timeless.order.state(), timeless.order.fetch_at),
            (None, Some(at(NOW)))
        );
    }
}

/// Only a claim that may be the end, or is all that is known, makes a fetch due at once. Any other fetch is due when
/// one answer is sure to settle the claim, 15 s + 1 s after receipt.
#[test]
fn an_order_that_may_be_at_its_end_is_fetched_at_once() {
    let fetched_after = |order: &Order, status: Status, said: i64| {
        let (_, applied) = decide_one(order, status, Some(said));
        applied
            .order
            .fetch_at
            .map(|at| at.since(self::at(NOW)).as_secs())
    };
    let (known, new, old) = (State::InReview, KNOWN + 1, KNOWN - 1);
    for said in State::ALL {
        let claim = || Status::Known(said);
        assert_eq!(fetched_after(&Order::new(at(0)), claim(), new), Some(0));
        if said != known {
            let expected = if said.is_final() { 0 } else { 16 };
            assert_eq!(
                fetched_after(&confirmed(known), claim(), new),
                Some(expected)
            );
            assert_eq!(fetched_after(&confirmed(known), claim(), old), Some(16));
        }
    }
    let after_end = |said| fetched_after(&confirmed(State::Rejected), Status::Known(said), new);
    assert_eq!(after_end(State::Completed), Some(0));
    assert_eq!(after_end(State::InReview), Some(16));
    let unknown = Status::Unknown("ON_HOLD".to_owned());
    assert_eq!(fetched_after(&confirmed(known), unknown, new), Some(16));
}

#[test]
fn an_unknown_status_moves_nothing() {
    let orders = State::ALL
        .into_iter()
        .flat_map(|s| [confirmed(s), provisional(s)]);
    for order in orders.chain([Order::new(at(0))]) {
        let status = Status::Unknown("ON_HOLD".to_owned());
        let (decision, applied) = decide_one(&order, status, Some(NOW));
        assert_eq!(decision.code(), "unknown-status");
        assert_eq!(applied.order.state(), order.state());
        assert!(applied.order.fetch_at.is_some());
    }
}

#[test]
fn events_that_overtook_each_other_fit_when_applied_together() {
    let events = [
        event(Status::Known(State::Completed), Some(KNOWN + 2)),
        event(Status::Known(State::InReview), Some(KNOWN + 1)),
    ];
    let applied = apply_events(&confirmed(State::Created), &events, at(NOW), &policy());
    assert_eq!(
        applied
            .decisions
            .iter()
            .map(Decision::code)
            .collect::<Vec<_>>(),
        ["fits", "fits"]
    );
    assert_eq!(applied.order.state(), Some(State::Completed));
    let steps: Vec<State> = applied.transitions.iter().map(|t| t.to).collect();
    assert_eq!(steps, [State::InReview, State::Completed]);
}

#[test]
fn a_storm_of_events_causes_one_fetch_in_a_cooldown() {
    let mut order = confirmed(State::InReview);
    order.fetched_at = Some(at(NOW));
    let (_, applied) = decide_one(&order, Status::Known(State::Completed), Some(KNOWN + 1));
    assert_eq!(
        applied.order.fetch_at,
        Some(at(NOW).plus(policy().cooldown))
    );

    // Each event of a storm postpones the time at which the claim can be settled, but not the next fetch.
    let first = decide_one(&confirmed(State::InReview), blocked(), Some(KNOWN + 1)).1;
    let later = Event {
        received_at: at(NOW + 10),
        ..event(blocked(), Some(KNOWN + 2))
    };
    let second = apply_at(&first.order, later, NOW + 10);
    assert_eq!(second.order.fetch_at, first.order.fetch_at);
    assert_eq!(second.order.hints[0].settles_at(&policy()), at(NOW + 26));
}

#[test]
fn an_event_shortens_no_back_off_but_unparks() {
    let mut backing_off = confirmed(State::InReview);
    backing_off.attempts = 3;
    backing_off.fetch_at = Some(at(NOW + 500));
    let (_, applied) = decide_one(&backing_off, blocked(), Some(KNOWN + 1));
    assert_eq!(applied.order.fetch_at, Some(at(NOW + 500)));

    let mut parked = confirmed(State::InReview);
    parked.attempts = 30;
    parked.parked = Some(attempts_used_up());
    let (_, applied) = decide_one(&parked, blocked(), Some(KNOWN + 1));
    assert_eq!((applied.order.parked, applied.order.attempts), (None, 0));
    assert_eq!(applied.order.fetch_at, Some(at(NOW + 16)));
}
