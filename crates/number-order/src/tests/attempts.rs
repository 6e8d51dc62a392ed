//! The fault behind a failure, requested fetches, and impossible dates.

use super::*;

const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(300),
    attempts_max: 5,
};

fn no_answer() -> Result<Answer, Failure> {
    Err(Failure {
        reason: NoAnswer::NotNow {
            endpoint: Endpoint::Orders,
            status: 503,
        },
        wait_min: Duration::ZERO,
    })
}

fn attempt(order: &Order, result: &Result<Answer, Failure>, asked: i64, healthy: bool) -> Order {
    let attempt = FetchAttempt {
        fetched_at: at(asked),
        result,
        healthy,
        now: at(asked + 1),
        jitter: 1.0,
    };
    apply_attempt(order, attempt, &policy(), &BACKOFF).order
}

/// The order has all its attempts after an outage of Sinch as a whole, however long it was.
#[test]
fn an_outage_uses_up_no_attempts() {
    for inconclusive in [Answer::NotFound, shown(State::InReview, KNOWN - 1)] {
        let mut order = confirmed(State::InReview);
        for n in 0..100 {
            order.attempts += 1;
            order = attempt(&order, &no_answer(), NOW + n, false);
            assert_eq!((order.attempts, &order.parked), (0, &None));
            assert!(order.fetch_at.is_some());
        }
        order.attempts += 1;
        order = attempt(&order, &Ok(inconclusive), NOW + 200, true);
        assert_eq!((order.attempts, &order.parked), (1, &None));
    }
}

#[test]
fn only_an_orders_own_failures_park_it() {
    let mut order = confirmed(State::InReview);
    for n in 1..=9 {
        // Every failure that is not the order's own is the provider's.
        order.attempts += 1;
        order = attempt(&order, &no_answer(), NOW + n, n % 2 == 1);
        assert_eq!(order.parked.is_some(), n == 9, "after {n}");
    }
}

/// An event that agrees claims nothing new, but proves that Sinch knows the order.
#[test]
fn an_event_that_agrees_unparks_an_order() {
    for state in State::ALL {
        let mut parked = confirmed(state);
        parked.attempts = 30;
        parked.parked = Some(attempts_used_up());
        let (decision, applied) = decide_one(&parked, Status::Known(state), Some(KNOWN));
        assert_eq!(decision.code(), "agrees");
        let order = applied.order;
        assert_eq!((order.parked, order.attempts), (None, 0), "{state}");
        assert_eq!(order.fetch_at, Some(at(NOW)), "{state}");
    }
}

/// A requested fetch is fulfilled by a fetch that is sent later, and not by one that was in flight.
#[test]
fn only_a_later_fetch_fulfils_a_request() {
    let answers = [
        Ok(shown(State::InReview, KNOWN)),
        Ok(shown(State::Completed, KNOWN + 1)),
        Ok(Answer::NotFound),
        no_answer(),
    ];
    for (n, result) in answers.iter().enumerate() {
        for healthy in [true, false] {
            for attempts in [1, 5] {
                let mut order = confirmed(State::InReview);
                order.attempts = attempts;
                order.request_fetch(at(NOW));
                let older = attempt(&order, result, NOW - 1, healthy);
                assert_eq!(older.fetch_requested_at, Some(at(NOW)), "answer {n}");
                assert_eq!(older.fetch_at, Some(at(NOW)), "answer {n}: due still");
                assert_eq!((older.attempts, &older.parked), (0, &None));

                let later = attempt(&older, result, NOW, healthy);
                let fulfilled = later.fetch_requested_at.is_none();
                assert_eq!(fulfilled, result.is_ok(), "answer {n}");
                assert!(later.fetch_at > Some(at(NOW)), "answer {n}");
            }
        }
    }
}

/// Later answers are applied, however absurd the date of one answer was: at once, or once no answer can be that old.
#[test]
fn no_update_time_shuts_an_order_off_from_later_answers() {
    let years = 365 * 86_400;
    for ahead in [
        1,
        4,
        60,
        599,
        601,
        3600,
        86_400,
        70 * years,
        i64::MAX / 2_000_000,
    ] {
        for first in [true, false] {
            let before = if first {
                Order::new(at(0))
            } else {
                confirmed(State::InReview)
            };
            let absurd = shown(State::InReview, NOW + ahead);
            let order = reconcile(&before, &absurd, at(NOW), &policy()).order;
            let truth = shown(State::Completed, NOW - 5);
            let soon = reconcile(&order, &truth, at(NOW + 10), &policy()).order;
            let later = reconcile(&soon, &truth, at(NOW + 10 + 305), &policy()).order;
            assert_eq!(later.state(), Some(State::Completed), "{ahead} s ahead");
        }
    }
}

/// An answer from the future cannot be put in order, so it is not applied, unless the service's clock is behind.
#[test]
fn an_update_time_in_the_future_is_not_applied_unless_the_answers_date_agrees() {
    let answer = |sent_at: Option<i64>| {
        Answer::Found(Snapshot {
            state: Status::Known(State::Completed),
            updated_at: at(NOW + 3600),
            expires_at: None,
            unreadable_expiry: None,
            details: None,
            sent_at: sent_at.map(at),
        })
    };
    for (sent_at, believed) in [
        (None, false),
        (Some(NOW), false),
        (Some(NOW + 2999), false),
        (Some(NOW + 3000), true),
        (Some(NOW + 3605), true),
    ] {
        let change = reconcile(
            &confirmed(State::InReview),
            &answer(sent_at),
            at(NOW),
            &policy(),
        );
        assert_eq!(change.outcome.is_conclusive(), believed, "{sent_at:?}");
        assert_eq!(change.order.state() == Some(State::Completed), believed);
        assert!(believed || change.outcome.is_anomaly());
    }
}

/// With the service's clock an hour behind, an event counts as newer just as with a right clock, and a quiet order is
/// fetched seldom.
#[test]
fn a_clock_that_is_behind_decides_nothing() {
    let behind = 3600;
    let there = NOW + behind;
    let known = |secs: i64| Snapshot {
        state: Status::Known(State::InReview),
        updated_at: at(secs),
        expires_at: None,
        unreadable_expiry: None,
        details: None,
        sent_at: Some(at(there)),
    };
    let order = reconcile(
        &Order::new(at(NOW)),
        &Answer::Found(known(there - 1)),
        at(NOW),
        &policy(),
    )
    .order;
    let applied = apply_at(
        &order,
        event(Status::Known(State::Completed), Some(there)),
        NOW,
    );
    assert_eq!(applied.order.state(), Some(State::Completed));
    let stale = Answer::Found(known(there - 1));
    let early = reconcile(&applied.order, &stale, at(NOW + 5), &policy()).order;
    assert_eq!(
        early.hints, applied.order.hints,
        "not superseded by what came before"
    );
    assert_eq!(early.state(), Some(State::Completed));

    let quiet = Answer::Found(known(there - 4000));
    let quiet = reconcile(&Order::new(at(NOW)), &quiet, at(NOW), &policy()).order;
    assert_eq!(quiet.fetch_at, Some(at(NOW + 1000)));
}

/// An expiry before the last change would make an order expire at the next two 404s.
#[test]
fn an_expire_time_before_the_last_change_is_ignored() {
    for (expires, kept) in [(KNOWN - 1, false), (KNOWN, true), (KNOWN + 1, true)] {
        let answer = Answer::Found(Snapshot {
            state: Status::Known(State::Created),
            updated_at: at(KNOWN),
            expires_at: Some(at(expires)),
            unreadable_expiry: None,
            details: None,
            sent_at: None,
        });
        let known = reconcile(&Order::new(at(0)), &answer, at(NOW), &policy())
            .order
            .confirmed;
        assert_eq!(known.and_then(|known| known.expires_at).is_some(), kept);
    }
}
