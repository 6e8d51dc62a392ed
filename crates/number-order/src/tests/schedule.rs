//! Periodic fetches of an order about which no new event arrives.

use super::*;

#[test]
fn a_quiet_order_is_fetched_again_in_time() {
    let policy = policy();
    let fetched_after = |state: State, secs: i64, expires_at: Option<i64>| {
        let mut order = confirmed(state);
        if let Some(known) = &mut order.confirmed {
            known.expires_at = expires_at.map(at);
        }
        let answer = Answer::Found(Snapshot {
            state: Status::Known(state),
            updated_at: at(KNOWN),
            expires_at: expires_at.map(at),
            unreadable_expiry: None,
            details: None,
            sent_at: None,
        });
        let fetched_at = at(KNOWN + secs);
        let next = reconcile(&order, &answer, fetched_at, &policy)
            .order
            .fetch_at;
        next.map(|next| next.since(fetched_at).as_secs())
    };
    assert_eq!(fetched_after(State::InReview, 10, None), Some(60));
    assert_eq!(fetched_after(State::InReview, 4000, None), Some(1000));
    assert_eq!(
        fetched_after(State::Blocked, 30 * 86_400, None),
        Some(6 * 3600)
    );
    // An order that is not submitted yet: the less time is left, the sooner the next fetch, with one more when none is
    // left.
    let created = |secs, left| fetched_after(State::Created, secs, Some(KNOWN + secs + left));
    assert_eq!(created(40_000, 50_000), Some(10_000));
    assert_eq!(created(40_000, 8000), Some(4000));
    assert_eq!(created(40_000, 200), Some(100));
    assert_eq!(created(40_000, 100), Some(60));
    assert_eq!(created(40_000, 20), Some(36));
    assert_eq!(created(40_000, -20), Some(10_000));
    let submitted = fetched_after(State::InReview, 40_000, Some(KNOWN + 48_000));
    assert_eq!(submitted, Some(8016));
    assert_eq!(fetched_after(State::Completed, 10, None), Some(86_391));
    assert_eq!(fetched_after(State::Completed, 90_000, None), None);
}
