//! Tests of the scheduler's decisions, moment by moment.

use super::*;
use crate::sinch::FetchError;
use number_order::Answer;
use number_order::{Endpoint, Flaw, NoAnswer};

mod circuit;
mod permits;
mod signals;

/// Reports a failed fetch of an order, sent just before. Returns `true` if the attempt counts against the order.
fn fail(scheduler: &mut Scheduler, order: &str, error: &FetchError, now: Time) -> bool {
    scheduler
        .attempt(&id(order), Err(error.clone()), now, now, 0.0)
        .1
}

/// Reports the answer to a fetch of an order.
fn answer(scheduler: &mut Scheduler, order: &str, fetched_at: Time, now: Time) {
    let (result, _) = scheduler.attempt(&id(order), Ok(Answer::NotFound), fetched_at, now, 0.0);
    assert!(result.is_ok());
}

fn scheduler(slots: u32, requests_per_second: f64) -> Scheduler {
    let limits = Limits {
        slots,
        requests_per_second,
        probe_interval_max: Duration::from_secs(300),
    };
    Scheduler::new(limits, Circuit::default(), true, secs(0))
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn secs(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

fn unavailable(retry_after: Option<u64>) -> FetchError {
    not_now(Endpoint::Orders, 503, retry_after)
}

/// Returns the error for an answer that asks for a later attempt.
fn not_now(endpoint: Endpoint, status: u16, retry_after: Option<u64>) -> FetchError {
    FetchError {
        reason: NoAnswer::NotNow { endpoint, status },
        retry_after: retry_after.map(Duration::from_secs),
    }
}

const UNUSABLE: FetchError = FetchError {
    reason: NoAnswer::UnusableAnswer {
        endpoint: Endpoint::Orders,
        status: 500,
        flaw: Flaw::ServerFailed,
    },
    retry_after: None,
};

fn refused(endpoint: Endpoint, status: u16) -> FetchError {
    FetchError::from(NoAnswer::KeyRefused {
        endpoint,
        status,
        project: id("p"),
    })
}

fn forbidden() -> FetchError {
    refused(Endpoint::Orders, 403)
}

/// Returns the error of a token endpoint that asks to be left alone, which is believed at once.
fn busy_for(secs: u64) -> FetchError {
    not_now(Endpoint::Token, 429, Some(secs))
}

fn timed_out() -> FetchError {
    FetchError::from(NoAnswer::TimedOut {
        endpoint: Endpoint::Orders,
    })
}

/// Returns the maximum number of orders that a step claims.
fn orders_max(next: Next) -> u32 {
    match next {
        Next::Claim { orders_max, .. } => orders_max,
        Next::Wait(_) | Next::Full => 0,
    }
}

/// Lets `orders` orders fail one after the other, from `first` on.
fn fail_in_a_row(
    scheduler: &mut Scheduler,
    first: usize,
    orders: usize,
    error: &FetchError,
    now: Time,
) {
    for n in first..first + orders {
        assert!(!fail(scheduler, &format!("o{n}"), error, now), "o{n}");
    }
}

#[test]
fn where_many_fail_alone_more_failures_in_a_row_may_be_chance() {
    let mut scheduler = scheduler(4, 1000.0);
    for bad in 0..10 {
        fail_in_a_row(&mut scheduler, bad, 1, &unavailable(None), secs(0));
        answer(&mut scheduler, "good", secs(0), secs(0));
    }
    fail_in_a_row(&mut scheduler, 100, 18, &unavailable(None), secs(1));
    assert_eq!(scheduler.circuit().paused, None);
    fail_in_a_row(&mut scheduler, 200, 1, &unavailable(None), secs(1));
    assert!(scheduler.circuit().paused.is_some());
}

#[test]
fn a_failure_is_the_orders_if_others_were_answered_since_its_last() {
    for error in [
        unavailable(None),
        unavailable(Some(3600)),
        forbidden(),
        UNUSABLE,
        timed_out(),
    ] {
        let mut scheduler = scheduler(1, 1000.0);
        fail(&mut scheduler, "bad", &error, secs(0));
        for n in 1..40 {
            answer(&mut scheduler, "good", secs(n), secs(n));
            assert!(fail(&mut scheduler, "bad", &error, secs(n)), "{error}");
        }
        // By now the order is proven to fail alone; that no other order is due proves nothing else.
        for n in 40..80 {
            assert!(fail(&mut scheduler, "bad", &error, secs(n)), "{error}");
        }
        assert_eq!(*scheduler.circuit(), Circuit::default(), "{error}");
        // When other orders fail, too, the fault may be the provider's.
        fail(&mut scheduler, "o1", &unavailable(None), secs(90));
        assert!(
            !fail(&mut scheduler, "bad", &timed_out(), secs(90)),
            "{error}"
        );
        assert_eq!(
            scheduler.circuit().failures,
            1,
            "only the failure of o1 counts"
        );
    }
}

#[test]
fn a_failure_while_no_order_is_answered_is_the_providers() {
    for error in [unavailable(None), forbidden(), timed_out()] {
        let mut scheduler = scheduler(1, 1000.0);
        for n in 0..200 {
            let order = format!("o{}", n % 3);
            assert!(!fail(&mut scheduler, &order, &error, secs(n)), "{error}");
        }
        assert!(scheduler.circuit().paused.is_some(), "{error}");
    }
}

#[test]
fn many_failures_of_one_order_that_are_of_its_kind_speak_of_it_unless_the_circuit_is_open() {
    let mut scheduler = scheduler(1, 1000.0);
    for n in 0..100 {
        assert!(fail(&mut scheduler, "bad", &UNUSABLE, secs(n)));
    }
    assert_eq!(scheduler.circuit().paused, None);
    fail_in_a_row(&mut scheduler, 0, 9, &unavailable(None), secs(100));
    assert_eq!(scheduler.next(secs(100)), Next::Wait(secs(130)));
    // A probe that tells nothing opens the circuit again, too, even if it was of the same order.
    assert_eq!(orders_max(scheduler.next(secs(130))), 1);
    scheduler.release(PermitKind::Slot);
    assert!(!fail(&mut scheduler, "o8", &UNUSABLE, secs(130)));
    assert_eq!(scheduler.next(secs(130)), Next::Wait(secs(160)));
}

#[test]
fn where_no_order_was_ever_found_unknown_ones_are_a_fault_of_the_set_up() {
    let limits = scheduler(1, 1000.0).limits;
    let ask = |scheduler: &mut Scheduler, order: usize, result| {
        let now = secs(order as i64);
        scheduler.attempt(&id(&format!("o{order}")), result, now, now, 0.0)
    };
    let unknown = || Ok(Answer::NotFound);
    let mut wrong = Scheduler::new(limits.clone(), Circuit::default(), false, secs(0));
    for order in 0..40 {
        let (result, own) = ask(&mut wrong, order, unknown());
        // The first few orders may be unknown indeed.
        assert_eq!((result.is_ok(), own), (order < 2, order < 2), "{order}");
    }
    let (_, reason) = wrong.circuit().paused.clone().expect("the circuit opens");
    assert!(matches!(reason, NoAnswer::NoneKnown { .. }), "{reason:?}");

    // Any order that Sinch shows, now or before, proves that address, key and project are right.
    let shown = Answer::Found(number_order::Snapshot {
        state: number_order::Status::Known(number_order::State::Created),
        updated_at: secs(0),
        expires_at: None,
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    });
    let mut mended = wrong;
    mended.resumed();
    assert!(ask(&mut mended, 40, Ok(shown)).1);
    for mut right in [
        mended,
        Scheduler::new(limits, Circuit::default(), true, secs(0)),
    ] {
        for order in 0..40 {
            assert_eq!(
                ask(&mut right, order, unknown()),
                (Ok(Answer::NotFound), true)
            );
        }
        assert_eq!(*right.circuit(), Circuit::default());
    }
}
