//! A claim that an answer overruled is kept until an answer that cannot be too stale overrules it as well.

use super::*;

/// Seconds from NOW after which a fetch ought to show an event that was received at NOW.
const LATE: i64 = 16;
/// Seconds from NOW after which a fetch shows an event that was received at NOW, even if its answer is as stale as can
/// be.
const SURE: i64 = 305;

/// Returns an order in a confirmed state, with an event received at NOW that claims another state.
fn claimed(known: State, said: State, said_at: Option<i64>) -> Order {
    decide_one(&confirmed(known), Status::Known(said), said_at)
        .1
        .order
}

fn shows(order: &Order, state: State, secs: i64) -> Order {
    reconcile(order, &shown(state, KNOWN), at(NOW + secs), &policy()).order
}

fn doubted(order: &Order) -> Vec<Option<State>> {
    order.doubts.iter().map(|doubt| doubt.state).collect()
}

/// For each known and each claimed state: a claim that a late answer overrules is in doubt, and a claim that a sure
/// answer overrules is dropped.
#[test]
fn an_overruled_claim_is_doubted_until_it_is_surely_overruled() {
    for known in State::ALL {
        for said in State::ALL.into_iter().filter(|said| *said != known) {
            for said_at in [Some(KNOWN + 500), None] {
                let claim = claimed(known, said, said_at);
                let early = shows(&claim, known, LATE - 1);
                assert_eq!(early.hints, claim.hints, "{known}, {said}: open still");

                let late = shows(&early, known, LATE);
                assert!(late.hints.is_empty(), "{known}, {said}");
                assert_eq!(doubted(&late), [Some(said)]);
                assert_eq!(late.state(), Some(known), "moves no state");
                assert_eq!(doubted(&shows(&late, known, SURE - 1)), [Some(said)]);
                assert!(shows(&late, known, SURE).doubts.is_empty());
                assert!(shows(&claim, known, SURE).doubts.is_empty());
            }
        }
    }
}

#[test]
fn an_order_with_a_doubt_is_fetched_in_time() {
    // An order that was quiet for long has its periodic fetch far ahead.
    let mut quiet = confirmed(State::Blocked);
    quiet.confirmed.as_mut().expect("is confirmed").updated_at = at(NOW - 90_000);
    let claim = |order: &Order| {
        decide_one(order, Status::Known(State::InReview), Some(NOW))
            .1
            .order
    };
    let answer = shown(State::Blocked, NOW - 90_000);
    let open = reconcile(&claim(&quiet), &answer, at(NOW + LATE), &policy()).order;
    assert_eq!(open.fetch_at, Some(at(NOW + SURE)));

    // A final order is fetched once more within a day. An answer that ought to have shown the claim asks for nothing
    // more.
    let final_again = at(KNOWN + 1).plus(Policy::FINAL_AGAIN);
    let late = shows(
        &claimed(State::Completed, State::InReview, Some(KNOWN + 500)),
        State::Completed,
        LATE,
    );
    assert_eq!(late.fetch_at, Some(final_again));
}

/// An open state may seem to have been passed on the way to a final one, while the order has left the final state again
/// within those seconds. An early answer may be stale by that much. So an order that is shown COMPLETED is fetched once
/// more at a time when no answer can be that stale.
#[test]
fn a_final_state_that_was_left_within_seconds_is_not_believed_for_a_day() {
    let first = decide_one(
        &confirmed(State::InReview),
        Status::Known(State::Completed),
        Some(KNOWN + 10),
    );
    let left = apply_at(&first.1.order, event(blocked(), Some(KNOWN + 10)), NOW);
    let stale = reconcile(
        &left.order,
        &shown(State::Completed, KNOWN + 9),
        at(NOW),
        &policy(),
    );
    assert_eq!(stale.order.state(), Some(State::Completed));
    assert_eq!(doubted(&stale.order), [Some(State::Blocked)]);
    assert_eq!(stale.order.fetch_at, Some(at(NOW + SURE)));
    let truth = reconcile(
        &stale.order,
        &shown(State::Blocked, KNOWN + 10),
        at(NOW + SURE),
        &policy(),
    );
    assert_eq!(truth.order.state(), Some(State::Blocked));
    assert!(truth.order.doubts.is_empty());
}

/// An event says EXPIRED, an answer staler than B still shows BLOCKED, and then Sinch forgets the order.
#[test]
fn a_claim_in_doubt_counts_for_the_meaning_of_404s() {
    let claim = claimed(State::Blocked, State::Expired, Some(NOW));
    let overruled = shows(&claim, State::Blocked, LATE);
    assert_eq!(overruled.state(), Some(State::Blocked));
    let missing =
        |order: &Order, secs: i64| reconcile(order, &Answer::NotFound, at(NOW + secs), &policy());
    let once = missing(&overruled, 200);
    let twice = missing(&once.order, 220);
    assert_eq!(twice.outcome, Outcome::ExpiredUnseen);
    assert_eq!(twice.order.state(), Some(State::Expired));
}

/// An event that repeats a claim in doubt is a claim like any other.
#[test]
fn a_claim_that_is_made_again_is_a_hint_again() {
    let late = shows(
        &claimed(State::InReview, State::Blocked, Some(NOW)),
        State::InReview,
        LATE,
    );
    assert_eq!(doubted(&late), [Some(State::Blocked)]);
    let again = apply_at(&late, event(blocked(), Some(NOW + 50)), NOW + 60).order;
    assert!(again.doubts.is_empty());
    assert_eq!(again.hints.len(), 1);
    let is_confirmed = shown(State::Blocked, NOW - 1);
    let is_confirmed = reconcile(&late, &is_confirmed, at(NOW + 20), &policy()).order;
    assert!(is_confirmed.doubts.is_empty());
}

/// While a provisional state is open, a newer event that names the confirmed state says that the order came back. The
/// event is a claim; it does not merely agree.
#[test]
fn an_event_that_comes_back_to_the_confirmed_state_is_a_claim() {
    let completed = claimed(State::InReview, State::Completed, Some(NOW));
    for (said_at, expected, claims) in [
        (Some(NOW + 1), "out-of-order", 2),
        (Some(NOW), "agrees", 1),
        (Some(NOW - 1), "agrees", 1),
        (None, "agrees", 1),
    ] {
        let (decision, applied) = decide_one(&completed, Status::Known(State::InReview), said_at);
        assert_eq!(decision.code(), expected, "{said_at:?}");
        assert_eq!(applied.order.hints.len(), claims, "{said_at:?}");
    }
}

/// A submitted order has no reservation that could run out, so 404s alone do not make it EXPIRED.
#[test]
fn an_order_that_was_submitted_does_not_run_out() {
    let mut known = confirmed(State::Created);
    if let Some(known) = &mut known.confirmed {
        known.expires_at = Some(at(NOW - 1));
    }
    let twice_missing = |order: &Order| {
        let once = reconcile(order, &Answer::NotFound, at(NOW), &policy());
        reconcile(&once.order, &Answer::NotFound, at(NOW + 20), &policy()).outcome
    };
    assert_eq!(twice_missing(&known), Outcome::ExpiredUnseen);
    for said in State::ALL
        .into_iter()
        .filter(|said| *said != State::Created)
    {
        let claimed = decide_one(&known, Status::Known(said), Some(NOW)).1.order;
        let expires = said == State::Expired;
        let outcome = twice_missing(&claimed);
        assert_eq!(outcome == Outcome::ExpiredUnseen, expires, "{said}");
    }
}
