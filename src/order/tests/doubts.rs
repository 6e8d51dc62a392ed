//! A claim that an answer overruled is kept until an answer that cannot be too stale overrules it as well.

use super::*;

/// Received at NOW: an answer ought to include it, if its question is sent so much later.
const LATE: i64 = 16;
/// … and includes it even if it is as stale as can be.
const SURE: i64 = 305;

/// An order in a confirmed state of which an event claims another one, at NOW.
fn claimed(known: State, said: State, said_at: Option<i64>) -> Order {
    decide_one(&confirmed(known), Status::Known(said), said_at)
        .1
        .order
}

fn shows(order: &Order, state: State, secs: i64) -> Order {
    reconcile(order, &shown(state, KNOWN), at(NOW + secs), &rule()).order
}

fn doubted(order: &Order) -> Vec<Option<State>> {
    order.doubts.iter().map(|doubt| doubt.state).collect()
}

/// For each state that is known and each that is claimed: overruled in time it is doubted, overruled for sure it is not.
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
fn what_is_doubted_is_asked_about_in_time() {
    // Quiet for long, so that the usual look lies far ahead.
    let mut quiet = confirmed(State::Blocked);
    quiet.confirmed.as_mut().expect("is confirmed").updated_at = at(NOW - 90_000);
    let claim = |order: &Order| {
        decide_one(order, Status::Known(State::InReview), Some(NOW))
            .1
            .order
    };
    let answer = shown(State::Blocked, NOW - 90_000);
    let open = reconcile(&claim(&quiet), &answer, at(NOW + LATE), &rule()).order;
    assert_eq!(open.ask_at, Some(at(NOW + SURE)));

    // A final state is looked at once more within a day; what ought to have shown the claim leaves it at that.
    let final_again = at(KNOWN + 1).plus(Rule::FINAL_AGAIN);
    let late = shows(
        &claimed(State::Completed, State::InReview, Some(KNOWN + 500)),
        State::Completed,
        LATE,
    );
    assert_eq!(late.ask_at, Some(final_again));
}

/// An order may be left again within the seconds in which an open state seems to have been passed on the way to a final
/// one, and an early answer be stale by that much: shown COMPLETED, it is asked about once more when none can be.
#[test]
fn a_final_state_that_was_left_within_seconds_is_not_believed_for_a_day() {
    let first = decide_one(
        &confirmed(State::InReview),
        Status::Known(State::Completed),
        Some(KNOWN + 10),
    );
    let left = look_at(&first.1.order, event(blocked(), Some(KNOWN + 10)), NOW);
    let stale = reconcile(
        &left.order,
        &shown(State::Completed, KNOWN + 9),
        at(NOW),
        &rule(),
    );
    assert_eq!(stale.order.state(), Some(State::Completed));
    assert_eq!(doubted(&stale.order), [Some(State::Blocked)]);
    assert_eq!(stale.order.ask_at, Some(at(NOW + SURE)));
    let truth = reconcile(
        &stale.order,
        &shown(State::Blocked, KNOWN + 10),
        at(NOW + SURE),
        &rule(),
    );
    assert_eq!(truth.order.state(), Some(State::Blocked));
    assert!(truth.order.doubts.is_empty());
}

/// An event says EXPIRED, an answer staler than B still shows BLOCKED, and then Sinch forgets the order.
#[test]
fn what_404s_mean_follows_from_a_claim_that_is_in_doubt() {
    let claim = claimed(State::Blocked, State::Expired, Some(NOW));
    let overruled = shows(&claim, State::Blocked, LATE);
    assert_eq!(overruled.state(), Some(State::Blocked));
    let missing =
        |order: &Order, secs: i64| reconcile(order, &Answer::NotFound, at(NOW + secs), &rule());
    let once = missing(&overruled, 200);
    let twice = missing(&once.order, 220);
    assert_eq!(twice.finding, Finding::ExpiredUnseen);
    assert_eq!(twice.order.state(), Some(State::Expired));
}

/// An event that claims again what is in doubt is a claim as any other.
#[test]
fn what_is_claimed_again_is_no_doubt_any_more() {
    let late = shows(
        &claimed(State::InReview, State::Blocked, Some(NOW)),
        State::InReview,
        LATE,
    );
    assert_eq!(doubted(&late), [Some(State::Blocked)]);
    let again = look_at(&late, event(blocked(), Some(NOW + 50)), NOW + 60).order;
    assert!(again.doubts.is_empty());
    assert_eq!(again.hints.len(), 1);
    let borne_out = shown(State::Blocked, NOW - 1);
    let borne_out = reconcile(&late, &borne_out, at(NOW + 20), &rule()).order;
    assert!(borne_out.doubts.is_empty());
}

/// While a provisional state is open, an event that is newer and speaks of the confirmed one says that the order came
/// back: it is a claim, and does not merely agree.
#[test]
fn an_event_that_comes_back_to_the_confirmed_state_is_a_claim() {
    let completed = claimed(State::InReview, State::Completed, Some(NOW));
    for (said_at, expected, claims) in [
        (Some(NOW + 1), "illegal", 2),
        (Some(NOW), "agrees", 1),
        (Some(NOW - 1), "agrees", 1),
        (None, "agrees", 1),
    ] {
        let (decision, look) = decide_one(&completed, Status::Known(State::InReview), said_at);
        assert_eq!(kind(&decision), expected, "{said_at:?}");
        assert_eq!(look.order.hints.len(), claims, "{said_at:?}");
    }
}

/// What was submitted has no reservation that could run out, so 404s alone do not make it EXPIRED.
#[test]
fn an_order_that_was_submitted_does_not_run_out() {
    let mut known = confirmed(State::Created);
    if let Some(known) = &mut known.confirmed {
        known.expires_at = Some(at(NOW - 1));
    }
    let twice_missing = |order: &Order| {
        let once = reconcile(order, &Answer::NotFound, at(NOW), &rule());
        reconcile(&once.order, &Answer::NotFound, at(NOW + 20), &rule()).finding
    };
    assert_eq!(twice_missing(&known), Finding::ExpiredUnseen);
    for said in State::ALL
        .into_iter()
        .filter(|said| *said != State::Created)
    {
        let claimed = decide_one(&known, Status::Known(said), Some(NOW)).1.order;
        let expires = said == State::Expired;
        let finding = twice_missing(&claimed);
        assert_eq!(finding == Finding::ExpiredUnseen, expires, "{said}");
    }
}
