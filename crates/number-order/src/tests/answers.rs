//! Tests of what answers mean for an order.

use super::*;

/// An answer is applied against each confirmed state, with or without an anomaly, or is not applied.
#[test]
fn answers_against_a_confirmed_state() {
    for known in State::ALL {
        for state in State::ALL {
            for (updated, relation) in [(KNOWN - 1, "older"), (KNOWN, "same"), (KNOWN + 1, "newer")]
            {
                let change = reconcile(
                    &confirmed(known),
                    &shown(state, updated),
                    at(NOW),
                    &policy(),
                );
                let expected = match (relation, state == known) {
                    ("older", _) => Outcome::Older {
                        known,
                        shown: state,
                    },
                    ("same", true) => Outcome::Unchanged { state },
                    ("newer", true) => Outcome::Refreshed { state },
                    ("same", false) if known != State::Created => Outcome::Tied {
                        known,
                        shown: state,
                    },
                    _ => Outcome::Advanced {
                        from: known,
                        to: state,
                        anomaly: !known.leads_to(state),
                    },
                };
                assert_eq!(
                    change.outcome, expected,
                    "{known}, then {state}, {relation}"
                );
                let applied = matches!(expected, Outcome::Advanced { .. });
                let now = change.order.confirmed.expect("is never lost");
                assert_eq!(now.state, if applied { state } else { known });
                assert_eq!(now.reopened, applied && known.is_final());
                assert_eq!(change.transition.is_some(), applied);
                assert_eq!(expected.is_change(), applied);
                let confirms = state == known && relation != "older" || applied;
                assert_eq!(expected.confirmed(), confirms.then_some(now.state));
            }
        }
    }
}

/// Seconds after which no answer can be too stale: `STALENESS_MAX` and 5 s.
const SURE: i64 = 305;

fn tied() -> Order {
    let answer = shown(State::Blocked, KNOWN);
    reconcile(&confirmed(State::InReview), &answer, at(NOW), &policy()).order
}

#[test]
fn a_tie_is_settled_by_a_late_enough_answer() {
    let asked = |order: &Order, state: State, secs: i64| {
        reconcile(order, &shown(state, KNOWN), at(NOW + secs), &policy())
    };
    assert_eq!(tied().fetch_at, Some(at(NOW + SURE)));
    // An early answer may be stale, whichever of the two tied states it shows.
    for state in [State::InReview, State::Blocked] {
        let early = asked(&tied(), state, SURE - 1);
        assert_eq!(early.order.tie, tied().tie, "the first sighting counts");
        let rested_at = at(NOW + SURE - 1).plus(policy().cooldown);
        assert_eq!(early.order.fetch_at, Some(rested_at));
        assert_eq!(early.order.state(), Some(State::InReview));

        let late = asked(&early.order, state, SURE);
        assert_eq!(late.order.state(), Some(state));
        assert_eq!(late.order.tie, None);
    }
    let newer = shown(State::InReview, KNOWN + 1);
    let newer = reconcile(&tied(), &newer, at(NOW + 1), &policy());
    assert_eq!(newer.order.tie, None, "both came before");
}

/// Sinch may forget an order that has an open tie. The order is then at rest in the end, and is not fetched forever.
#[test]
fn a_tie_of_an_order_that_sinch_forgets_leaves_the_known_state() {
    let known = confirmed(State::Expired);
    let tied = reconcile(&known, &shown(State::InReview, KNOWN), at(NOW), &policy()).order;
    let missing =
        |order: &Order, secs: i64| reconcile(order, &Answer::NotFound, at(NOW + secs), &policy());
    let once = missing(&tied, 100);
    assert_eq!(once.outcome, Outcome::NotFound, "once proves nothing");
    assert_eq!(once.order.fetch_at, Some(at(NOW + SURE)));
    let early = missing(&once.order, SURE - 1).order;
    let rested_at = at(NOW + SURE - 1).plus(policy().cooldown);
    assert_eq!(early.fetch_at, Some(rested_at));
    let late = missing(&early, SURE).order;
    assert_eq!(
        (late.tie.clone(), late.state()),
        (None, Some(State::Expired))
    );
    assert!(late.fetch_at.is_none_or(|again| again > at(NOW + SURE)));
}

/// While it is not known which of two states came last, an event that claims either of them tells nothing new.
#[test]
fn a_tie_keeps_hints_open_and_hints_of_other_states_have_their_fetch() {
    for (said, secs) in [(State::Blocked, SURE), (State::Completed, 16)] {
        let applied = apply_at(&tied(), event(Status::Known(said), Some(KNOWN + 1)), NOW);
        let answer = shown(State::Blocked, KNOWN);
        let early = reconcile(&applied.order, &answer, at(NOW + 5), &policy()).order;
        assert_eq!(early.state(), Some(said), "stands provisionally");
        assert_eq!(early.hints, applied.order.hints);
        assert_eq!(early.fetch_at, Some(at(NOW + secs)));
    }
}

#[test]
fn a_hint_is_settled_by_its_state_or_by_a_late_enough_fetch() {
    let policy = policy();
    let (_, applied) = decide_one(&confirmed(State::InReview), blocked(), Some(KNOWN + 1));
    // An event received at NOW is settled by a fetch at NOW + 15 s + 1 s.
    let early = reconcile(
        &applied.order,
        &shown(State::InReview, KNOWN),
        at(NOW + 15),
        &policy,
    );
    assert_eq!(
        early.order.state(),
        Some(State::Blocked),
        "may not show yet"
    );
    assert_eq!(
        early.order.fetch_at,
        Some(at(NOW + 15).plus(policy.cooldown))
    );
    let late = reconcile(
        &early.order,
        &shown(State::InReview, KNOWN),
        at(NOW + 16),
        &policy,
    );
    assert_eq!(late.order.state(), Some(State::InReview));
    assert!(late.order.hints.is_empty());
    let withdrawn = late.transition.expect("is recorded");
    assert_eq!(
        (withdrawn.from, withdrawn.to),
        (Some(State::Blocked), State::InReview)
    );

    let is_confirmed = reconcile(
        &applied.order,
        &shown(State::Blocked, KNOWN + 1),
        at(NOW),
        &policy,
    );
    assert!(is_confirmed.order.hints.is_empty() && is_confirmed.order.provisional.is_none());
    assert_eq!(is_confirmed.order.state(), Some(State::Blocked));
}

/// An answer that shows a state which surely came later settles a hint, however early the answer is.
#[test]
fn a_hint_is_superseded_by_a_newer_answer() {
    let after = |said: State, shows: State, updated: i64| {
        let event = event(Status::Known(said), Some(KNOWN + 10));
        let applied = apply_at(&confirmed(State::Created), event, NOW);
        let answer = shown(shows, updated);
        let change = reconcile(&applied.order, &answer, at(NOW + 1), &policy());
        change.order.hints.is_empty()
    };
    // Three seconds are the tolerance for Sinch's clocks.
    assert!(!after(State::InReview, State::Blocked, KNOWN + 13));
    assert!(after(State::InReview, State::Blocked, KNOWN + 14));
    // An open state is passed on the way to a final one. Of two final states, one is an anomaly.
    assert!(!after(State::InReview, State::Completed, KNOWN + 6));
    assert!(after(State::InReview, State::Completed, KNOWN + 7));
    assert!(!after(State::Rejected, State::Completed, KNOWN + 7));
}

#[test]
fn a_final_state_is_left_only_by_a_newer_answer_and_marked() {
    let policy = policy();
    let (decision, applied) = decide_one(
        &confirmed(State::Rejected),
        Status::Known(State::InReview),
        Some(NOW),
    );
    assert_eq!(decision.code(), "after-final");
    assert_eq!(applied.order.state(), Some(State::Rejected));
    let change = reconcile(
        &applied.order,
        &shown(State::InReview, KNOWN + 1),
        at(NOW),
        &policy,
    );
    assert_eq!(change.order.state(), Some(State::InReview));
    assert!(change.outcome.is_anomaly());
    assert!(change.order.confirmed.is_some_and(|c| c.reopened));
}

#[test]
fn a_404_takes_no_state_back_and_expires_only_orders_that_had_to_expire() {
    let policy = policy();
    for state in State::ALL {
        let once = reconcile(&confirmed(state), &Answer::NotFound, at(NOW), &policy);
        assert_eq!(once.outcome, Outcome::NotFound, "{state}");
        let twice = reconcile(&once.order, &Answer::NotFound, at(NOW + 20), &policy);
        assert_eq!(twice.order.state(), Some(state));
        assert_eq!(twice.outcome.is_conclusive(), state.is_final(), "{state}");
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
        let once = reconcile(&order, &Answer::NotFound, at(NOW), &policy);
        assert_eq!(once.outcome, Outcome::NotFound);
        let twice = reconcile(&once.order, &Answer::NotFound, at(NOW + 20), &policy);
        assert_eq!(twice.outcome, Outcome::ExpiredUnseen);
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
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    });
    let change = reconcile(&confirmed(State::InReview), &answer, at(NOW), &policy());
    assert_eq!(change.order.confirmed, confirmed(State::InReview).confirmed);
    assert!(change.outcome.is_anomaly() && !change.outcome.is_conclusive());
}
