//! When an order of which nothing new is heard is looked at again.

use super::*;

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
            remark: None,
            sent_at: None,
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
