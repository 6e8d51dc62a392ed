//! Signals about the whole project, and the conditions on which they are believed.

use super::*;

fn unauthorized() -> FetchError {
    refused(Endpoint::Orders, 401)
}

/// Returns every signal about the project that a fetch can bring, each with the time in seconds for which the circuit
/// opens if jitter makes it as short as can be.
fn signals() -> [(FetchError, i64); 5] {
    [
        (unauthorized(), 30),
        (forbidden(), 30),
        (too_many(9), 9),
        (unavailable(Some(50)), 50),
        (unavailable(Some(3600)), 3600),
    ]
}

fn too_many(retry_after: u64) -> FetchError {
    not_now(Endpoint::Orders, 429, Some(retry_after))
}

/// Claims one order, picked at random.
fn claim_one(scheduler: &mut Scheduler, now: Time) {
    assert_eq!(
        scheduler.next(now),
        Next::Claim {
            orders_max: 1,
            claim_order: ClaimOrder::Chance
        }
    );
    assert_eq!(scheduler.next(now), Next::Full, "one at a time");
}

#[test]
fn a_signal_to_three_orders_in_a_row_holds_for_all_for_as_long_as_sinch_asks() {
    for (error, wait) in signals() {
        let mut scheduler = scheduler(1, 1000.0);
        assert_eq!(orders_max(scheduler.next(secs(0))), 1);
        assert!(!fail(&mut scheduler, "o0", &error, secs(0)), "{error}");
        scheduler.release(PermitKind::Slot);
        for order in ["o1", "o2"] {
            assert_eq!(scheduler.circuit().paused, None, "{error}");
            claim_one(&mut scheduler, secs(1));
            assert!(!fail(&mut scheduler, order, &error, secs(1)), "{error}");
            scheduler.release(PermitKind::Slot);
        }
        assert_eq!(
            scheduler.next(secs(1)),
            Next::Wait(secs(1 + wait)),
            "{error}"
        );
        // The probe gets the same signal. It is believed at once, and probes are half a minute apart at least.
        let probe = secs(1 + wait);
        assert_eq!(orders_max(scheduler.next(probe)), 1);
        assert!(!fail(&mut scheduler, "o3", &error, probe));
        scheduler.release(PermitKind::Slot);
        let again = secs(1 + wait + wait.max(30));
        assert_eq!(scheduler.next(probe), Next::Wait(again), "{error}");
    }
}

#[test]
fn a_fetch_sent_before_the_first_signal_does_not_confirm_it() {
    for (error, _) in signals() {
        let mut scheduler = scheduler(16, 1000.0);
        fail(&mut scheduler, "o0", &error, secs(9));
        for n in 1..16 {
            let order = id(&format!("o{n}"));
            let failed = Err(error.clone());
            assert!(!scheduler.attempt(&order, failed, secs(1), secs(10), 0.0).1);
        }
        assert_eq!(scheduler.circuit().paused, None, "{error}");
        claim_one(&mut scheduler, secs(10));
    }
}

#[test]
fn a_signal_to_one_order_holds_for_it_alone_once_another_is_answered() {
    for (error, _) in signals() {
        let mut scheduler = scheduler(4, 1000.0);
        for n in 0..20 {
            let now = secs(100 * n);
            let failed = Err(error.clone());
            let (result, own) = scheduler.attempt(&id("bad"), failed, now, now, 0.0);
            assert_eq!(own, n > 0, "others were answered since");
            let wait_min = error.retry_after.unwrap_or_default();
            assert_eq!(result.expect_err("the fetch failed").wait_min, wait_min);
            answer(&mut scheduler, "good", now, now);
            assert_eq!(*scheduler.circuit(), Circuit::default(), "{error}");
            assert_eq!(scheduler.mode(now), Mode::Normal, "{error}");
        }
    }
}

#[test]
fn a_signal_to_the_only_due_order_opens_the_circuit_until_another_is_due() {
    for (error, _) in signals() {
        let mut scheduler = scheduler(4, 1000.0);
        fail(&mut scheduler, "bad", &error, secs(0));
        assert!(!fail(&mut scheduler, "bad", &error, secs(1)), "{error}");
        let Some((until, _)) = scheduler.circuit().paused else {
            panic!("the circuit stays closed: {error}");
        };
        assert_eq!(until, secs(31), "the order waits for itself: {error}");
        assert!(!scheduler.may_fetch(PermitKind::Isolated, secs(2)));
        claim_one(&mut scheduler, secs(2));
        answer(&mut scheduler, "good", secs(2), secs(2));
        assert_eq!(*scheduler.circuit(), Circuit::default(), "{error}");
    }
}

#[test]
fn a_wait_of_an_hour_for_one_order_in_an_outage_is_not_believed_of_all() {
    let mut scheduler = scheduler(1, 1000.0);
    fail_in_a_row(&mut scheduler, 0, 9, &unavailable(None), secs(0));
    let mut now = 30;
    for n in 0..20 {
        assert_eq!(scheduler.next(secs(now - 1)), Next::Wait(secs(now)));
        let error = unavailable((n % 2 == 0).then_some(3600));
        assert_eq!(orders_max(scheduler.next(secs(now))), 1);
        fail_in_a_row(&mut scheduler, 10 + n, 1, &error, secs(now));
        scheduler.release(PermitKind::Slot);
        now += 30;
    }
}

#[test]
fn each_order_that_gets_a_signal_alone_makes_one_more_necessary() {
    let mut scheduler = scheduler(1, 1000.0);
    for bad in 0..30 {
        // Number of orders that must get the signal before it is believed. All but the first of them are answered after
        // that.
        let needed = (3 + bad).min(9);
        for n in 0..needed {
            assert_eq!(scheduler.circuit().paused, None, "{n} of {needed}");
            let order = format!("{bad}-{n}");
            fail(&mut scheduler, &order, &unauthorized(), secs(0));
        }
        assert!(scheduler.circuit().paused.is_some(), "{needed}");
        scheduler.resumed();
        for n in 1..needed {
            answer(&mut scheduler, &format!("{bad}-{n}"), secs(0), secs(0));
        }
    }
}

#[test]
fn the_token_endpoint_speaks_of_no_single_order_and_is_believed_at_once() {
    let token = |status, retry_after| not_now(Endpoint::Token, status, retry_after);
    let endpoint = Endpoint::Token;
    let timed_out = FetchError::from(NoAnswer::TimedOut { endpoint });
    for (error, failures, wait) in [
        (refused(Endpoint::Token, 400), 1, 30),
        (refused(Endpoint::Token, 401), 1, 30),
        (refused(Endpoint::Token, 403), 1, 30),
        (token(429, Some(100)), 1, 100),
        (token(503, None), 9, 30),
        (timed_out, 9, 30),
    ] {
        let mut scheduler = scheduler(1, 1000.0);
        fail(&mut scheduler, "bad", &UNUSABLE, secs(0));
        answer(&mut scheduler, "good", secs(0), secs(0));
        for n in 0..failures {
            assert_eq!(scheduler.circuit().paused, None, "{error}: {n}");
            let own = fail(&mut scheduler, "bad", &error, secs(0));
            assert!(!own, "the fault is never the order's: {error}");
        }
        // A fetch of another order would fail as well.
        assert_eq!(scheduler.next(secs(0)), Next::Wait(secs(wait)), "{error}");
        assert_eq!(scheduler.attribution.newly_failed(), 0);
    }
}
