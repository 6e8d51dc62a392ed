//! Claims of orders, and the effects of their fetches.

use super::*;
use number_order::{FetchOutcome, ParkReason};

async fn an_order_is_fetched_by_one_at_a_time(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let first = fixture.claim(20).await;
    assert_eq!((first.len(), first[0].attempts), (1, 1));
    assert!(fixture.claim(79).await.is_empty(), "the order is leased");
    let second = fixture.claim(81).await;
    assert_eq!(
        (second.len(), second[0].attempts),
        (1, 2),
        "the lease ran out; the try counts"
    );
    let late = fixture
        .record(&first[0], shows(State::Rejected, 12), 82)
        .await;
    assert_eq!(late, Recorded::Fenced);
    assert_eq!(fixture.history("o1").await.order.confirmed, None);
    let settled = fixture
        .record(&second[0], shows(State::InReview, 12), 83)
        .await;
    assert!(matches!(settled, Recorded::Done { parked: None, .. }));
    let order = fixture.history("o1").await.order;
    assert_eq!((order.confirmed, order.attempts), (Some("IN_REVIEW"), 0));
    assert!(order.settled, "{order:?}");
}

/// A late result does not spoil the answer of the lease's holder, in whichever order both stand in a batch.
async fn of_two_holders_in_one_batch_the_rightful_one_is_recorded(on: Backend) {
    for late_first in [true, false] {
        let fixture = Fixture::on(on).await;
        fixture
            .accept(delivery("e1", "o1", State::InReview, 10))
            .await;
        fixture.process(20).await;
        let late = fixture.claim(20).await.remove(0);
        let held = fixture.claim(81).await.remove(0);
        let late = outcome(&late, shows(State::Rejected, 12), 82);
        let held = outcome(&held, shows(State::InReview, 12), 82);
        let twice = held.clone();
        let batch = if late_first {
            [late, held, twice]
        } else {
            [held, late, twice]
        };
        let settled = fixture.store.record(batch.into()).await.expect("settles");
        let fenced: Vec<bool> = settled.iter().map(|s| *s == Recorded::Fenced).collect();
        assert_eq!(fenced[..2], [late_first, !late_first], "{settled:?}");
        let outcome = |recorded: &Recorded| match recorded {
            Recorded::Done { outcome, .. } => Some(outcome.clone()),
            Recorded::Fenced | Recorded::RowAtFault { .. } => None,
        };
        let holders = outcome(&settled[usize::from(late_first)]);
        assert!(
            fenced[2] || outcome(&settled[2]) == holders,
            "it is late, or known to be recorded: {settled:?}"
        );
        let history = fixture.history("o1").await;
        assert_eq!(history.fetches.len(), 1);
        assert_eq!(history.order.confirmed, Some("IN_REVIEW"));
    }
}

async fn a_released_order_counts_as_never_claimed(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let first = fixture.claim(20).await.remove(0);
    let release = async |claim: &Claim| fixture.store.release(claim.clone()).await;
    assert_eq!(release(&first).await, Ok(()));
    let second = fixture.claim(20).await.remove(0);
    assert_eq!(second.attempts, 1, "the order is due as before");
    // A worker that lost the lease has nothing to release.
    assert_eq!(release(&first).await, Ok(()));
    assert!(fixture.claim(20).await.is_empty(), "the order is leased");
    let settled = fixture
        .record(&second, shows(State::InReview, 12), 21)
        .await;
    assert!(matches!(settled, Recorded::Done { .. }));
}

async fn events_that_come_during_a_fetch_are_not_overwritten(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let claim = fixture.claim(20).await.remove(0);
    fixture
        .accept(delivery("e2", "o1", State::Completed, 21))
        .await;
    fixture.process(22).await;
    fixture.record(&claim, shows(State::InReview, 10), 20).await;
    let order = fixture.history("o1").await.order;
    assert_eq!(
        (order.confirmed, order.provisional),
        (Some("IN_REVIEW"), Some("COMPLETED"))
    );
    assert_eq!(order.hints, ["COMPLETED"]);
    assert!(order.fetch_at.is_some());
}

async fn failures_back_off_and_park_and_an_operator_unparks(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let failure = || {
        Err(Failure {
            reason: not_now(500),
            wait_min: Duration::ZERO,
        })
    };
    for (secs, next) in [(20, 21), (21, 23)] {
        let claim = fixture.claim(secs).await.remove(0);
        fixture.record(&claim, failure(), secs).await;
        assert_eq!(fixture.history("o1").await.order.fetch_at, Some(at(next)));
    }
    let claim = fixture.claim(23).await.remove(0);
    let Recorded::Done { parked, .. } = fixture.record(&claim, failure(), 23).await else {
        panic!("fenced");
    };
    let used_up = ParkReason::AttemptsUsedUp {
        attempts: 3,
        last: FetchOutcome::NoAnswer(not_now(500)),
    };
    assert_eq!(parked, Some(used_up));
    assert!(fixture.claim(99_999).await.is_empty());
    assert_eq!(
        fixture
            .store
            .summary(at(0))
            .await
            .expect("reads")
            .orders_parked,
        1
    );

    assert_eq!(
        fixture.store.request_fetch(key("o1"), at(30)).await,
        Ok(true)
    );
    assert_eq!(
        fixture.store.request_fetch(key("o9"), at(30)).await,
        Ok(false)
    );
    assert_eq!(fixture.claim(30).await[0].attempts, 1);
}

async fn a_watched_order_is_fetched_without_any_callback(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    for new in [2, 0] {
        let request = WatchRequest {
            project: id(PROJECT),
            orders: vec![id("o1"), id("o2"), id("o3")],
            now: at(30),
        };
        assert_eq!(fixture.store.watch(request).await, Ok(new));
    }
    let mut claimed: Vec<String> = fixture
        .claim(30)
        .await
        .iter()
        .map(|c| c.key.order.to_string())
        .collect();
    claimed.sort();
    assert_eq!(claimed, ["o1", "o2", "o3"], "o1 by its event");
}

suite!(
    an_order_is_fetched_by_one_at_a_time,
    of_two_holders_in_one_batch_the_rightful_one_is_recorded,
    a_released_order_counts_as_never_claimed,
    events_that_come_during_a_fetch_are_not_overwritten,
    failures_back_off_and_park_and_an_operator_unparks,
    a_watched_order_is_fetched_without_any_callback,
);
