//! The rules as tables: every state known, every state said, every relation in time.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const STALENESS: Duration = Duration::from_secs(15);
const STALENESS_MAX: Duration = Duration::from_secs(300);

fn rule() -> Rule {
    Rule::new(STALENESS, STALENESS_MAX)
}

/// Whole seconds.
fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

/// When what is known came about, by Sinch's clock.
const KNOWN: i64 = 1000;
/// When events are received, and questions sent.
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
            said_at: at(KNOWN),
            settles_at: at(NOW + 100),
        }],
        ..Order::new(at(0))
    }
}

fn shown(state: State, updated: i64) -> Answer {
    Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(updated),
        expires_at: None,
    })
}

fn kind(decision: &Decision) -> &'static str {
    match decision {
        Decision::Agrees(_) => "agrees",
        Decision::Repeats(_) => "repeats",
        Decision::Fits { .. } => "fits",
        Decision::Ask(Doubt::FirstNews(_)) => "first",
        Decision::Ask(Doubt::UnknownStatus(_)) => "unknown",
        Decision::Ask(Doubt::NoTime(_)) => "no time",
        Decision::Ask(Doubt::Stale { .. }) => "stale",
        Decision::Ask(Doubt::Illegal { .. }) => "illegal",
        Decision::Ask(Doubt::Final { .. }) => "final",
    }
}

fn blocked() -> Status {
    Status::Known(State::Blocked)
}

fn look_at(order: &Order, event: Event, now: i64) -> Look {
    look(order, &[event], at(now), &rule())
}

fn decide_one(order: &Order, status: Status, said: Option<i64>) -> (Decision, Look) {
    let look = look(order, &[event(status, said)], at(NOW), &rule());
    (look.decisions[0].clone(), look)
}

/// What a newer event means: a row for each state known, a column for each state said, in the order of
/// [`State::ALL`].
const NEWER: [(State, [&str; 6]); 6] = [
    (
        State::Created,
        ["agrees", "fits", "illegal", "illegal", "illegal", "fits"],
    ),
    (
        State::InReview,
        ["illegal", "agrees", "fits", "fits", "fits", "fits"],
    ),
    (
        State::Blocked,
        ["illegal", "fits", "agrees", "illegal", "fits", "fits"],
    ),
    (
        State::Completed,
        ["final", "final", "final", "agrees", "final", "final"],
    ),
    (
        State::Rejected,
        ["final", "final", "final", "final", "agrees", "final"],
    ),
    (
        State::Expired,
        ["final", "final", "final", "final", "final", "agrees"],
    ),
];

#[test]
fn events_against_a_confirmed_state() {
    for (known, row) in NEWER {
        for (said, newer) in State::ALL.into_iter().zip(row) {
            let settled = newer == "agrees" || newer == "final";
            let table = [
                (Some(KNOWN + 1), newer),
                (Some(KNOWN), if settled { newer } else { "stale" }),
                (Some(KNOWN - 1), if settled { newer } else { "stale" }),
                (None, if settled { newer } else { "no time" }),
            ];
            for (said_at, expected) in table {
                let (decision, look) = decide_one(&confirmed(known), Status::Known(said), said_at);
                assert_eq!(
                    kind(&decision),
                    expected,
                    "{known}, then {said} at {said_at:?}"
                );
                let moved = look.order.provisional.map(|p| p.state);
                assert_eq!(moved, (expected == "fits").then_some(said));
                assert_eq!(
                    look.order.confirmed,
                    confirmed(known).confirmed,
                    "never by an event"
                );
                assert_eq!(look.order.ask_at.is_some(), expected != "agrees");
                assert_eq!(look.order.hints.len(), usize::from(expected != "agrees"));
                assert_eq!(look.transitions.len(), usize::from(expected == "fits"));
            }
        }
    }
}

#[test]
fn events_against_a_provisional_state() {
    for (known, row) in NEWER {
        for (said, newer) in State::ALL.into_iter().zip(row) {
            let newer = match newer {
                "agrees" => "repeats",
                // Only what Sinch has shown is final.
                "final" => "illegal",
                other => other,
            };
            let same = newer == "repeats";
            let table = [
                (Some(KNOWN + 1), newer),
                (Some(KNOWN), if same { newer } else { "stale" }),
                (None, if same { newer } else { "no time" }),
            ];
            for (said_at, expected) in table {
                let (decision, look) =
                    decide_one(&provisional(known), Status::Known(said), said_at);
                assert_eq!(
                    kind(&decision),
                    expected,
                    "{known}, then {said} at {said_at:?}"
                );
                let state = if expected == "fits" { said } else { known };
                assert_eq!(look.order.state(), Some(state));
                assert!(
                    look.order.ask_at.is_some(),
                    "nothing provisional is at rest"
                );
            }
        }
    }
}

#[test]
fn the_first_news_stand_provisionally_and_are_asked_about() {
    for said in State::ALL {
        let (decision, look) = decide_one(&Order::new(at(0)), Status::Known(said), Some(KNOWN));
        assert_eq!(kind(&decision), "first");
        assert_eq!(
            (look.order.state(), look.order.ask_at),
            (Some(said), Some(at(NOW)))
        );

        let (_, timeless) = decide_one(&Order::new(at(0)), Status::Known(said), None);
        assert_eq!(
            (timeless.order.state(), timeless.order.ask_at),
            (None, Some(at(NOW)))
        );
    }
}

/// Only what may be the end, or is all that is known, is asked about at once; the rest when one answer is
/// sure to settle it, 15 s + 1 s after receipt.
#[test]
fn what_may_be_the_end_is_asked_about_at_once() {
    let asked_after = |order: &Order, status: Status, said: i64| {
        let (_, look) = decide_one(order, status, Some(said));
        look.order
            .ask_at
            .map(|at| at.since(self::at(NOW)).as_secs())
    };
    let (known, new, old) = (State::InReview, KNOWN + 1, KNOWN - 1);
    for said in State::ALL {
        let claim = || Status::Known(said);
        assert_eq!(asked_after(&Order::new(at(0)), claim(), new), Some(0));
        if said != known {
            let expected = if said.is_final() { 0 } else { 16 };
            assert_eq!(asked_after(&confirmed(known), claim(), new), Some(expected));
            assert_eq!(asked_after(&confirmed(known), claim(), old), Some(16));
        }
    }
    let after_end = |said| asked_after(&confirmed(State::Rejected), Status::Known(said), new);
    assert_eq!(after_end(State::Completed), Some(0));
    assert_eq!(after_end(State::InReview), Some(16));
    let unknown = Status::Unknown("ON_HOLD".to_owned());
    assert_eq!(asked_after(&confirmed(known), unknown, new), Some(16));
}

#[test]
fn an_unknown_status_moves_nothing() {
    let orders = State::ALL
        .into_iter()
        .flat_map(|s| [confirmed(s), provisional(s)]);
    for order in orders.chain([Order::new(at(0))]) {
        let status = Status::Unknown("ON_HOLD".to_owned());
        let (decision, look) = decide_one(&order, status, Some(NOW));
        assert_eq!(kind(&decision), "unknown");
        assert_eq!(look.order.state(), order.state());
        assert!(look.order.ask_at.is_some());
    }
}

#[test]
fn what_overtook_each_other_on_the_way_fits_when_looked_at_together() {
    let events = [
        event(Status::Known(State::Completed), Some(KNOWN + 2)),
        event(Status::Known(State::InReview), Some(KNOWN + 1)),
    ];
    let look = look(&confirmed(State::Created), &events, at(NOW), &rule());
    assert_eq!(
        look.decisions.iter().map(kind).collect::<Vec<_>>(),
        ["fits", "fits"]
    );
    assert_eq!(look.order.state(), Some(State::Completed));
    let steps: Vec<State> = look.transitions.iter().map(|t| t.to).collect();
    assert_eq!(steps, [State::InReview, State::Completed]);
}

#[test]
fn a_storm_of_events_asks_once_in_a_cooldown() {
    let mut order = confirmed(State::InReview);
    order.asked_at = Some(at(NOW));
    let (_, look) = decide_one(&order, Status::Known(State::Completed), Some(KNOWN + 1));
    assert_eq!(look.order.ask_at, Some(at(NOW).plus(rule().cooldown)));

    // Each event of a storm moves on when the claim can be settled, but not when Sinch is asked.
    let first = decide_one(&confirmed(State::InReview), blocked(), Some(KNOWN + 1)).1;
    let later = Event {
        received_at: at(NOW + 10),
        ..event(blocked(), Some(KNOWN + 2))
    };
    let second = look_at(&first.order, later, NOW + 10);
    assert_eq!(second.order.ask_at, first.order.ask_at);
    assert_eq!(second.order.hints[0].settles_at, at(NOW + 26));
}

#[test]
fn news_do_not_cut_a_back_off_short_but_do_unpark() {
    let mut backing_off = confirmed(State::InReview);
    backing_off.attempts = 3;
    backing_off.ask_at = Some(at(NOW + 500));
    let (_, look) = decide_one(&backing_off, blocked(), Some(KNOWN + 1));
    assert_eq!(look.order.ask_at, Some(at(NOW + 500)));

    let mut parked = confirmed(State::InReview);
    parked.attempts = 30;
    parked.parked = Some("gave up".to_owned());
    let (_, look) = decide_one(&parked, blocked(), Some(KNOWN + 1));
    assert_eq!((look.order.parked, look.order.attempts), (None, 0));
    assert_eq!(look.order.ask_at, Some(at(NOW + 16)));
}

/// What an answer means that differs from what is confirmed: applied (with or without surprise), or not.
#[test]
fn answers_against_a_confirmed_state() {
    for known in State::ALL {
        for state in State::ALL {
            for (updated, relation) in [(KNOWN - 1, "older"), (KNOWN, "same"), (KNOWN + 1, "newer")]
            {
                let change = reconcile(&confirmed(known), &shown(state, updated), at(NOW), &rule());
                let expected = match (relation, state == known) {
                    ("older", _) => Finding::Older {
                        known,
                        shown: state,
                    },
                    ("same", true) => Finding::Unchanged(state),
                    ("newer", true) => Finding::Refreshed(state),
                    ("same", false) if known != State::Created => Finding::Tied {
                        known,
                        shown: state,
                    },
                    _ => Finding::Advanced {
                        from: known,
                        to: state,
                        anomaly: !known.leads_to(state),
                    },
                };
                assert_eq!(
                    change.finding, expected,
                    "{known}, then {state}, {relation}"
                );
                let applied = matches!(expected, Finding::Advanced { .. });
                let now = change.order.confirmed.expect("is never lost");
                assert_eq!(now.state, if applied { state } else { known });
                assert_eq!(now.reopened, applied && known.is_final());
                assert_eq!(change.transition.is_some(), applied);
            }
        }
    }
}

/// The very worst, and 5 s.
const SURE: i64 = 305;

fn tied() -> Order {
    let answer = shown(State::Blocked, KNOWN);
    reconcile(&confirmed(State::InReview), &answer, at(NOW), &rule()).order
}

#[test]
fn a_tie_is_settled_by_what_a_late_answer_shows() {
    let asked = |order: &Order, state: State, secs: i64| {
        reconcile(order, &shown(state, KNOWN), at(NOW + secs), &rule())
    };
    assert_eq!(tied().ask_at, Some(at(NOW + SURE)));
    // Whichever of the two an early answer shows, it may be stale.
    for state in [State::InReview, State::Blocked] {
        let early = asked(&tied(), state, SURE - 1);
        assert_eq!(early.order.tie, tied().tie, "the first sighting counts");
        assert_eq!(early.order.ask_at, Some(at(NOW + SURE)));
        assert_eq!(early.order.state(), Some(State::InReview));

        let late = asked(&early.order, state, SURE);
        assert_eq!(late.order.state(), Some(state));
        assert_eq!(late.order.tie, None);
    }
    let newer = shown(State::InReview, KNOWN + 1);
    let newer = reconcile(&tied(), &newer, at(NOW + 1), &rule());
    assert_eq!(newer.order.tie, None, "both came before");
}

/// Sinch may forget an order over which a tie is open: that ends in rest, and not in asking for ever.
#[test]
fn a_tie_over_what_sinch_forgets_is_settled_for_what_is_known() {
    let known = confirmed(State::Expired);
    let tied = reconcile(&known, &shown(State::InReview, KNOWN), at(NOW), &rule()).order;
    let early = reconcile(&tied, &Answer::NotFound, at(NOW + SURE - 1), &rule()).order;
    assert_eq!(early.ask_at, Some(at(NOW + SURE)));
    let late = reconcile(&early, &Answer::NotFound, at(NOW + SURE), &rule()).order;
    assert_eq!(
        (late.tie.clone(), late.state()),
        (None, Some(State::Expired))
    );
    assert!(late.ask_at.is_none_or(|again| again > at(NOW + SURE)));
}

/// While it is not known which of two came last, an event that speaks of either tells nothing new.
#[test]
fn a_tie_keeps_hints_open_and_asks_for_the_others_alone() {
    for (said, secs) in [(State::Blocked, SURE), (State::Completed, 16)] {
        let look = look_at(&tied(), event(Status::Known(said), Some(KNOWN + 1)), NOW);
        let answer = shown(State::Blocked, KNOWN);
        let early = reconcile(&look.order, &answer, at(NOW + 5), &rule()).order;
        assert_eq!(early.state(), Some(said), "stands provisionally");
        assert_eq!(early.hints, look.order.hints);
        assert_eq!(early.ask_at, Some(at(NOW + secs)));
    }
}

#[test]
fn a_hint_is_settled_by_its_state_or_by_a_late_enough_question() {
    let rule = rule();
    let (_, look) = decide_one(&confirmed(State::InReview), blocked(), Some(KNOWN + 1));
    // Received at NOW: settled by a question at NOW + 15 s + 1 s.
    let early = reconcile(
        &look.order,
        &shown(State::InReview, KNOWN),
        at(NOW + 15),
        &rule,
    );
    assert_eq!(
        early.order.state(),
        Some(State::Blocked),
        "may not show yet"
    );
    assert_eq!(early.order.ask_at, Some(at(NOW + 16)));
    let late = reconcile(
        &early.order,
        &shown(State::InReview, KNOWN),
        at(NOW + 16),
        &rule,
    );
    assert_eq!(late.order.state(), Some(State::InReview));
    assert!(late.order.hints.is_empty());
    let withdrawn = late.transition.expect("is recorded");
    assert_eq!(
        (withdrawn.from, withdrawn.to),
        (Some(State::Blocked), State::InReview)
    );

    let borne_out = reconcile(
        &look.order,
        &shown(State::Blocked, KNOWN + 1),
        at(NOW),
        &rule,
    );
    assert!(borne_out.order.hints.is_empty() && borne_out.order.provisional.is_none());
    assert_eq!(borne_out.order.state(), Some(State::Blocked));
}

/// An answer that shows something that surely came later settles a hint however early it is.
#[test]
fn a_hint_is_settled_by_an_answer_that_overtakes_it() {
    let after = |said: State, shows: State, updated: i64| {
        let event = event(Status::Known(said), Some(KNOWN + 10));
        let look = look_at(&confirmed(State::Created), event, NOW);
        let answer = shown(shows, updated);
        let change = reconcile(&look.order, &answer, at(NOW + 1), &rule());
        change.order.hints.is_empty()
    };
    // Three seconds for Sinch's clocks.
    assert!(!after(State::InReview, State::Blocked, KNOWN + 13));
    assert!(after(State::InReview, State::Blocked, KNOWN + 14));
    // On the way to the end; but of two ends, one is a surprise.
    assert!(!after(State::InReview, State::Completed, KNOWN + 6));
    assert!(after(State::InReview, State::Completed, KNOWN + 7));
    assert!(!after(State::Rejected, State::Completed, KNOWN + 7));
}

/// An answer that contradicts an event may have been staler than usual, so it is not left at that.
#[test]
fn after_a_contradiction_sinch_is_asked_once_more() {
    let asked_again = |known: State, said: State, confirmed_at: i64| {
        let mut order = confirmed(known);
        if let Some(known) = &mut order.confirmed {
            known.confirmed_at = at(confirmed_at);
        }
        let event = Event {
            received_at: at(90_000),
            ..event(Status::Known(said), Some(90_000))
        };
        let look = look_at(&order, event, 90_000);
        let asked_at = at(90_100);
        let change = reconcile(&look.order, &shown(known, KNOWN), asked_at, &rule());
        assert!(change.order.hints.is_empty());
        change.order.ask_at.map(|at| at.since(asked_at).as_secs())
    };
    assert_eq!(
        asked_again(State::InReview, State::Blocked, KNOWN),
        Some(300)
    );
    assert_eq!(
        asked_again(State::Rejected, State::InReview, KNOWN),
        Some(300)
    );
    // The look a day after what is final was confirmed is still to come.
    let soon = asked_again(State::Rejected, State::InReview, 80_000);
    assert_eq!(soon, Some(80_000 + 86_400 - 90_100));
}

#[test]
fn a_final_state_is_left_only_by_a_newer_answer_and_marked() {
    let rule = rule();
    let (decision, look) = decide_one(
        &confirmed(State::Rejected),
        Status::Known(State::InReview),
        Some(NOW),
    );
    assert_eq!(kind(&decision), "final");
    assert_eq!(look.order.state(), Some(State::Rejected));
    let change = reconcile(
        &look.order,
        &shown(State::InReview, KNOWN + 1),
        at(NOW),
        &rule,
    );
    assert_eq!(change.order.state(), Some(State::InReview));
    assert!(change.finding.is_anomaly());
    assert!(change.order.confirmed.is_some_and(|c| c.reopened));
}

#[test]
fn a_404_never_unsettles_and_expires_only_what_had_to() {
    let rule = rule();
    for state in State::ALL {
        let change = reconcile(&confirmed(state), &Answer::NotFound, at(NOW), &rule);
        assert_eq!(change.order.state(), Some(state));
        assert_eq!(change.finding.is_conclusive(), state.is_final(), "{state}");
    }
    let mut expiring = confirmed(State::Created);
    if let Some(known) = &mut expiring.confirmed {
        known.expires_at = Some(at(NOW - 1));
    }
    let (_, hinted) = decide_one(
        &confirmed(State::InReview),
        Status::Known(State::Expired),
        Some(NOW),
    );
    for order in [expiring, hinted.order] {
        let once = reconcile(&order, &Answer::NotFound, at(NOW), &rule);
        assert_eq!(once.finding, Finding::NotFound);
        let twice = reconcile(&once.order, &Answer::NotFound, at(NOW + 20), &rule);
        assert_eq!(twice.finding, Finding::ExpiredUnseen);
        let known = twice.order.confirmed.expect("is confirmed");
        assert_eq!((known.state, known.reopened), (State::Expired, false));
    }
}

#[test]
fn an_unknown_state_is_not_applied() {
    let answer = Answer::Found(Snapshot {
        state: Status::Unknown("NUMBER_ORDER_STATE_UNSPECIFIED".to_owned()),
        updated_at: at(NOW),
        expires_at: None,
    });
    let change = reconcile(&confirmed(State::InReview), &answer, at(NOW), &rule());
    assert_eq!(change.order.confirmed, confirmed(State::InReview).confirmed);
    assert!(change.finding.is_anomaly() && !change.finding.is_conclusive());
}

#[test]
fn a_quiet_order_is_looked_at_again_in_time() {
    let rule = rule();
    let asked_after = |state: State, secs: i64, expires_at: Option<i64>| {
        let mut order = confirmed(state);
        if let Some(known) = &mut order.confirmed {
            known.expires_at = expires_at.map(at);
        }
        let answer = Answer::Found(Snapshot {
            state: Status::Known(state),
            updated_at: at(KNOWN),
            expires_at: expires_at.map(at),
        });
        let asked_at = at(KNOWN + secs);
        let next = reconcile(&order, &answer, asked_at, &rule).order.ask_at;
        next.map(|next| next.since(asked_at).as_secs())
    };
    assert_eq!(asked_after(State::InReview, 10, None), Some(60));
    assert_eq!(asked_after(State::InReview, 4000, None), Some(1000));
    assert_eq!(
        asked_after(State::Blocked, 30 * 86_400, None),
        Some(6 * 3600)
    );
    // Not submitted yet: the less is left, the sooner, and once more when nothing is.
    let created = |secs, left| asked_after(State::Created, secs, Some(KNOWN + secs + left));
    assert_eq!(created(40_000, 50_000), Some(10_000));
    assert_eq!(created(40_000, 8000), Some(4000));
    assert_eq!(created(40_000, 200), Some(100));
    assert_eq!(created(40_000, 100), Some(60));
    assert_eq!(created(40_000, 20), Some(36));
    assert_eq!(created(40_000, -20), Some(10_000));
    let submitted = asked_after(State::InReview, 40_000, Some(KNOWN + 48_000));
    assert_eq!(submitted, Some(8016));
    assert_eq!(asked_after(State::Completed, 10, None), Some(86_391));
    assert_eq!(asked_after(State::Completed, 90_000, None), None);
}

fn states() -> impl Strategy<Value = State> {
    proptest::sample::select(State::ALL.to_vec())
}

fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![
        9 => states().prop_map(Status::Known),
        1 => "[A-Z_]{0,12}".prop_map(Status::Unknown),
    ]
}

#[derive(Clone, Debug)]
enum News {
    Event(Status, Option<i64>, i64),
    Answer(Status, i64, i64, Option<i64>),
    NotFound(i64),
}

fn news() -> impl Strategy<Value = News> {
    let any_time = prop_oneof![8 => -5_000_000i64..100_000_000, 1 => any::<i64>()];
    let (t, u) = (any_time.clone(), any_time.clone());
    prop_oneof![
        (statuses(), proptest::option::of(t), u.clone())
            .prop_map(|(s, said, now)| News::Event(s, said, now)),
        (
            statuses(),
            u.clone(),
            any_time.clone(),
            proptest::option::of(u)
        )
            .prop_map(|(s, u, now, e)| News::Answer(s, u, now, e)),
        any_time.prop_map(News::NotFound),
    ]
}

proptest! {
    /// Whatever comes, in whatever order: total, no state out of nothing, time of the truth never back.
    #[test]
    fn nothing_breaks_the_house_rules(all in proptest::collection::vec(news(), 0..40)) {
        let rule = rule();
        let mut order = Order::new(Time(0));
        for news in all {
            let before = order.clone();
            match news {
                News::Event(status, said_at, now) => {
                    let event = Event { status, said_at: said_at.map(Time), received_at: Time(now) };
                    order = look(&order, &[event], Time(now), &rule).order;
                    prop_assert_eq!(&order.confirmed, &before.confirmed);
                }
                News::Answer(state, updated_at, now, expires_at) => {
                    let snapshot = Snapshot {
                        state,
                        updated_at: Time(updated_at),
                        expires_at: expires_at.map(Time),
                    };
                    order = reconcile(&order, &Answer::Found(snapshot), Time(now), &rule).order;
                }
                News::NotFound(now) => {
                    order = reconcile(&order, &Answer::NotFound, Time(now), &rule).order;
                }
            }
            let updated_at = |order: &Order| order.confirmed.as_ref().map(|c| c.updated_at);
            prop_assert!(updated_at(&order) >= updated_at(&before));
            prop_assert!(order.hints.len() <= State::ALL.len() + 1);
            if let Some(provisional) = &order.provisional {
                prop_assert!(order.hints.iter().any(|h| h.state == Some(provisional.state)));
            }
            prop_assert!(order.hints.is_empty() || order.ask_at.is_some() || order.missing_since.is_some());
        }
    }
}
