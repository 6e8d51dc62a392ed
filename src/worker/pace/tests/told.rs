//! What answers say of the whole project, and when that is believed.

use super::*;

fn unauthorized() -> AskError {
    refused(Endpoint::Orders, 401)
}

/// All that an answer to a question can say of the project, and how long asking is to pause for it, if chance has it
/// as short as can be.
fn words() -> [(AskError, i64); 5] {
    [
        (unauthorized(), 30),
        (forbidden(), 30),
        (too_many(9), 9),
        (unavailable(Some(50)), 50),
        (unavailable(Some(3600)), 3600),
    ]
}

fn too_many(retry_after: u64) -> AskError {
    AskError::Provider {
        at: Endpoint::Orders,
        trouble: Trouble::Status(429),
        retry_after: Some(Duration::from_secs(retry_after)),
    }
}

/// Asks one question, of whom chance picks.
fn ask_one(pace: &mut Pace, now: Time) {
    assert_eq!(
        pace.next(now),
        Next::Ask {
            orders_max: 1,
            turn: Turn::Chance
        }
    );
    assert_eq!(pace.next(now), Next::Full, "one at a time");
}

#[test]
fn where_everybody_is_told_so_all_wait_after_three_questions_for_as_long_as_sinch_asks() {
    for (error, wait) in words() {
        let mut pace = pace(1, 1000.0);
        assert_eq!(asks(pace.next(secs(0))), 1);
        assert!(!fail(&mut pace, "o0", &error, secs(0)), "{error}");
        pace.freed(Seat::Lane);
        for order in ["o1", "o2"] {
            assert_eq!(pace.gate().paused, None, "{error}");
            ask_one(&mut pace, secs(1));
            assert!(!fail(&mut pace, order, &error, secs(1)), "{error}");
            pace.freed(Seat::Lane);
        }
        assert_eq!(pace.next(secs(1)), Next::Wait(secs(1 + wait)), "{error}");
        // The probe is told the same: it is believed at once, and probes are half a minute apart at least.
        let probe = secs(1 + wait);
        assert_eq!(asks(pace.next(probe)), 1);
        assert!(!fail(&mut pace, "o3", &error, probe));
        pace.freed(Seat::Lane);
        let again = secs(1 + wait + wait.max(30));
        assert_eq!(pace.next(probe), Next::Wait(again), "{error}");
    }
}

#[test]
fn what_was_asked_before_the_first_was_told_so_does_not_bear_it_out() {
    for (error, _) in words() {
        let mut pace = pace(16, 1000.0);
        fail(&mut pace, "o0", &error, secs(9));
        for n in 1..16 {
            let order = id(&format!("o{n}"));
            let failed = Err(error.clone());
            assert!(!pace.tried(&order, failed, secs(1), secs(10), 0.0).1);
        }
        assert_eq!(pace.gate().paused, None, "{error}");
        ask_one(&mut pace, secs(10));
    }
}

#[test]
fn what_one_order_is_told_holds_for_it_alone_once_another_is_answered() {
    for (error, _) in words() {
        let mut pace = pace(4, 1000.0);
        for n in 0..20 {
            let now = secs(100 * n);
            let failed = Err(error.clone());
            let (result, own) = pace.tried(&id("bad"), failed, now, now, 0.0);
            assert_eq!(own, n > 0, "others were answered since");
            let wait_min = error.retry_after().unwrap_or_default();
            assert_eq!(result.expect_err("it failed").wait_min, wait_min);
            answer(&mut pace, "good", now, now);
            assert_eq!(*pace.gate(), Gate::default(), "{error}");
            assert_eq!(pace.way(now), Way::Open, "{error}");
        }
    }
}

#[test]
fn where_nobody_else_is_due_asking_pauses_until_somebody_is() {
    for (error, _) in words() {
        let mut pace = pace(4, 1000.0);
        fail(&mut pace, "bad", &error, secs(0));
        assert!(!fail(&mut pace, "bad", &error, secs(1)), "{error}");
        let Some((until, _)) = pace.gate().paused else {
            panic!("asking goes on: {error}");
        };
        assert_eq!(until, secs(31), "the order waits for itself: {error}");
        assert!(!pace.may_ask(Seat::Apart, secs(2)));
        ask_one(&mut pace, secs(2));
        answer(&mut pace, "good", secs(2), secs(2));
        assert_eq!(*pace.gate(), Gate::default(), "{error}");
    }
}

#[test]
fn an_hour_that_one_order_is_told_in_an_outage_is_not_believed_of_all() {
    let mut pace = pace(1, 1000.0);
    fail_in_a_row(&mut pace, 0, 9, &unavailable(None), secs(0));
    let mut now = 30;
    for n in 0..20 {
        assert_eq!(pace.next(secs(now - 1)), Next::Wait(secs(now)));
        let error = unavailable((n % 2 == 0).then_some(3600));
        assert_eq!(asks(pace.next(secs(now))), 1);
        fail_in_a_row(&mut pace, 10 + n, 1, &error, secs(now));
        pace.freed(Seat::Lane);
        now += 30;
    }
}

#[test]
fn each_order_that_is_told_so_alone_makes_one_more_necessary() {
    let mut pace = pace(1, 1000.0);
    for bad in 0..30 {
        // How many have to be told so by now, for which others then turn out to be answered.
        let needed = (3 + bad).min(9);
        for n in 0..needed {
            assert_eq!(pace.gate().paused, None, "{n} of {needed}");
            let order = format!("{bad}-{n}");
            fail(&mut pace, &order, &unauthorized(), secs(0));
        }
        assert!(pace.gate().paused.is_some(), "{needed}");
        pace.resumed();
        for n in 1..needed {
            answer(&mut pace, &format!("{bad}-{n}"), secs(0), secs(0));
        }
    }
}

#[test]
fn the_token_endpoint_is_asked_for_no_single_order_and_believed_at_once() {
    let token = |trouble, retry_after: Option<u64>| AskError::Provider {
        at: Endpoint::Token,
        trouble,
        retry_after: retry_after.map(Duration::from_secs),
    };
    for (error, failures, wait) in [
        (refused(Endpoint::Token, 400), 1, 30),
        (refused(Endpoint::Token, 401), 1, 30),
        (refused(Endpoint::Token, 403), 1, 30),
        (token(Trouble::Status(429), Some(100)), 1, 100),
        (token(Trouble::Status(503), None), 9, 30),
        (token(Trouble::TimedOut, None), 9, 30),
    ] {
        let mut pace = pace(1, 1000.0);
        fail(&mut pace, "bad", &UNUSABLE, secs(0));
        answer(&mut pace, "good", secs(0), secs(0));
        for n in 0..failures {
            assert_eq!(pace.gate().paused, None, "{error}: {n}");
            let own = fail(&mut pace, "bad", &error, secs(0));
            assert!(!own, "it is never the order's: {error}");
        }
        // Nor would another order fare any better.
        assert_eq!(pace.next(secs(0)), Next::Wait(secs(wait)), "{error}");
        assert_eq!(pace.blame.strangers(), 0);
    }
}
