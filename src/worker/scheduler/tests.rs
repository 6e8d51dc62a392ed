//! Decisions of the scheduler, moment by moment.

use super::*;
use number_order::Answer;
use number_order::{Endpoint, Flaw, NoAnswer};
use sinch_numbers::api::FetchError;

mod told;

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

fn asks(next: Next) -> u32 {
    match next {
        Next::Claim { orders_max, .. } => orders_max,
        Next::Wait(_) | Next::Full => 0,
    }
}

#[test]
fn no_more_at_once_than_there_are_lanes_and_the_rate_allows() {
    let mut scheduler = scheduler(3, 20.0);
    assert_eq!(
        asks(scheduler.next(secs(0))),
        2,
        "a tenth of a second's worth"
    );
    let Next::Wait(until) = scheduler.next(secs(0)) else {
        panic!("one lane is free, but the rate is used up");
    };
    assert!(until > secs(0) && until <= Time(50_001), "{until}");
    assert_eq!(asks(scheduler.next(until)), 1);
    assert_eq!(scheduler.next(secs(9)), Next::Full);
    scheduler.release(PermitKind::Slot);
    assert_eq!(asks(scheduler.next(secs(9))), 1);
}

#[test]
fn over_time_the_rate_is_kept_and_used() {
    let mut scheduler = scheduler(4, 5.0);
    let (mut now, mut asked) = (secs(0), 0);
    while now < secs(1000) {
        match scheduler.next(now) {
            Next::Claim { orders_max, .. } => {
                asked += orders_max;
                (0..orders_max).for_each(|_| scheduler.release(PermitKind::Slot));
            }
            Next::Wait(until) => now = until,
            Next::Full => panic!("all lanes are free"),
        }
    }
    assert!((4990..=5001).contains(&asked), "{asked}");
}

#[test]
fn one_place_in_four_is_for_whoever_has_waited_longest() {
    for slots in [1, 3, 4, 7] {
        let mut scheduler = scheduler(slots, 1e6);
        let (mut all, mut oldest) = (0, 0);
        while all < 1000 * slots {
            if let Next::Claim {
                orders_max,
                claim_order,
            } = scheduler.next(secs(i64::from(all)))
            {
                all += orders_max;
                if claim_order == ClaimOrder::Oldest {
                    oldest += orders_max;
                }
                (0..orders_max).for_each(|_| scheduler.release(PermitKind::Slot));
            }
        }
        assert_eq!(oldest, all / 4, "{slots} lanes");
    }
}

#[test]
fn places_of_all_sizes_are_shared_out_alike() {
    let mut scheduler = scheduler(1, 1.0);
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut all, mut oldest, mut since) = (0, 0, 0);
    for _ in 0..10_000 {
        let places = rng.u32(1..=200);
        all += places;
        match scheduler.claim_order(places) {
            ClaimOrder::Oldest => (oldest, since) = (oldest + places, 0),
            _ => since += places,
        }
        assert!(
            since <= 4 * 200,
            "{since} places without one for the oldest"
        );
    }
    let share = f64::from(oldest) / f64::from(all);
    assert!((0.2..=0.25).contains(&share), "{share}");
}

/// Claims what may be claimed, which lasts for `took`, and lets `ends` fetches in the slots end in that time.
fn claim(scheduler: &mut Scheduler, now: &mut Time, took: Duration, ends: u32) -> u32 {
    let places = asks(scheduler.next(*now));
    (0..ends).for_each(|_| scheduler.release(PermitKind::Slot));
    *now = now.plus(took);
    if places > 0 {
        scheduler.claimed(ClaimOrder::Urgent, places, places, *now);
    }
    places
}

#[test]
fn a_fast_sinch_finds_orders_in_hand_and_a_slow_one_or_a_low_rate_does_not() {
    let ms = Duration::from_millis;
    // Slots; the rate; time of an answer, in ms; and number of prefetched orders after a while.
    for (slots, rate, answer_ms, prefetched) in [
        (1, 1e6, 1, 20..=30),
        (8, 1e6, 1, 180..=220),
        (8, 1e6, 200, 0..=2),
        (8, 100.0, 1, 2..=3),
        (4, 5.0, 1, 0..=0),
    ] {
        let (mut scheduler, mut now) = (scheduler(slots, rate), secs(0));
        for _ in 0..2000 {
            // A claim takes 1 ms, as does all else here.
            let ends = match now.since(secs(0)).as_micros() / 1000 % answer_ms {
                0 => slots.min(scheduler.under_way),
                _ => 0,
            };
            claim(&mut scheduler, &mut now, ms(1), ends);
        }
        assert!(
            prefetched.contains(&scheduler.prefetch_max),
            "{} in hand for {slots} lanes, {rate} a second, {answer_ms} ms",
            scheduler.prefetch_max
        );
    }
}

#[test]
fn places_that_found_no_order_are_free_again() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(asks(scheduler.next(secs(0))), 4);
    scheduler.claimed(ClaimOrder::Oldest, 4, 1, secs(0));
    assert_eq!(asks(scheduler.next(secs(1))), 3);
}

#[test]
fn what_is_in_hand_waits_for_no_closed_gate() {
    let mut scheduler = scheduler(2, 1000.0);
    assert_eq!(asks(scheduler.next(secs(0))), 2);
    assert!(scheduler.may_fetch(PermitKind::Slot, secs(0)));
    fail(&mut scheduler, "o1", &busy_for(10), secs(0));
    assert!(!scheduler.may_fetch(PermitKind::Slot, secs(1)));
    assert!(
        !scheduler.may_fetch(PermitKind::Slot, secs(10)),
        "a probe goes out alone"
    );
    scheduler.release(PermitKind::Slot);
    assert!(scheduler.may_fetch(PermitKind::Slot, secs(10)));
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
fn in_doubt_one_at_a_time_is_asked_about_whom_chance_picks_and_then_the_gate_closes() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(asks(scheduler.next(secs(0))), 4);
    fail_in_a_row(&mut scheduler, 0, 3, &unavailable(None), secs(1));
    assert_eq!(scheduler.circuit().paused, None);
    // One fetch is still in flight.
    (0..3).for_each(|_| scheduler.release(PermitKind::Slot));
    assert_eq!(scheduler.next(secs(1)), Next::Full);
    assert!(!fail(&mut scheduler, "o3", &unavailable(None), secs(0)));
    scheduler.release(PermitKind::Slot);
    for n in 4..10 {
        let claim_order = ClaimOrder::Chance;
        assert_eq!(
            scheduler.next(secs(1)),
            Next::Claim {
                orders_max: 1,
                claim_order
            }
        );
        assert_eq!(scheduler.next(secs(1)), Next::Full);
        assert_eq!(
            scheduler.kept_apart().len(),
            n,
            "those that failed are left out"
        );
        fail_in_a_row(&mut scheduler, n, 1, &unavailable(None), secs(1));
        scheduler.release(PermitKind::Slot);
    }
    assert_eq!(scheduler.next(secs(1)), Next::Wait(secs(31)));
}

#[test]
fn what_was_sent_before_the_doubt_adds_nothing_to_it() {
    let mut scheduler = scheduler(16, 1000.0);
    fail_in_a_row(&mut scheduler, 0, 3, &unavailable(None), secs(9));
    for n in 3..16 {
        let order = id(&format!("o{n}"));
        let failed = Err(unavailable(None));
        assert!(!scheduler.attempt(&order, failed, secs(1), secs(10), 0.0).1);
    }
    assert_eq!(scheduler.circuit().paused, None);
    answer(&mut scheduler, "good", secs(9), secs(10));
    assert_eq!(*scheduler.circuit(), Circuit::default());
}

#[test]
fn a_probe_goes_out_alone_and_an_answer_opens_the_gate() {
    let mut scheduler = scheduler(4, 1000.0);
    fail_in_a_row(&mut scheduler, 0, 9, &unavailable(None), secs(0));
    assert_eq!(scheduler.next(secs(0)), Next::Wait(secs(30)));
    assert_eq!(asks(scheduler.next(secs(30))), 1);
    assert_eq!(scheduler.next(secs(30)), Next::Full);
    scheduler.release(PermitKind::Slot);
    fail_in_a_row(&mut scheduler, 9, 1, &unavailable(None), secs(30));
    assert_eq!(scheduler.next(secs(31)), Next::Wait(secs(60)));
    assert_eq!(asks(scheduler.next(secs(60))), 1);
    answer(&mut scheduler, "good", secs(60), secs(60));
    scheduler.release(PermitKind::Slot);
    assert_eq!(asks(scheduler.next(secs(61))), 4);
    assert_eq!(*scheduler.circuit(), Circuit::default());
    assert!(scheduler.kept_apart().is_empty(), "it was the provider");
}

#[test]
fn a_pause_that_came_of_few_orders_is_tried_by_others_that_are_not_known_to_fail() {
    let mut scheduler = scheduler(4, 1000.0);
    for n in 0..9 {
        assert!(!fail(
            &mut scheduler,
            ["o1", "o2"][n % 2],
            &unavailable(None),
            secs(0)
        ));
    }
    assert!(scheduler.circuit().paused.is_some());
    let claim_order = ClaimOrder::Chance;
    assert_eq!(
        scheduler.next(secs(1)),
        Next::Claim {
            orders_max: 1,
            claim_order
        }
    );
    assert!(
        !scheduler.claimed(claim_order, 1, 0, secs(1)),
        "nobody else is due"
    );
    assert_eq!(asks(scheduler.next(secs(2))), 1);
    assert!(!scheduler.may_fetch(PermitKind::Apart, secs(2)));
    assert!(scheduler.may_fetch(PermitKind::Slot, secs(2)));
    fail_in_a_row(&mut scheduler, 3, 1, &unavailable(None), secs(2));
    scheduler.release(PermitKind::Slot);
    assert_eq!(
        scheduler.next(secs(3)),
        Next::Wait(secs(30)),
        "three fail: enough"
    );
}

#[test]
fn whoever_is_known_to_fail_has_a_place_in_sixteen_and_those_that_the_others_leave() {
    let mut scheduler = scheduler(4, 1e6);
    fail(&mut scheduler, "bad", &unavailable(None), secs(0));
    answer(&mut scheduler, "good", secs(0), secs(0));
    let (mut all, mut apart) = (0, 0);
    for n in 0..1600 {
        let Next::Claim {
            orders_max,
            claim_order,
        } = scheduler.next(secs(n))
        else {
            panic!("lanes are free");
        };
        scheduler.claimed(claim_order, orders_max, orders_max, secs(n));
        all += orders_max;
        let kind = if claim_order == ClaimOrder::Apart {
            PermitKind::Apart
        } else {
            PermitKind::Slot
        };
        apart += u32::from(claim_order == ClaimOrder::Apart);
        (0..orders_max).for_each(|_| scheduler.release(kind));
    }
    assert!((all / 20..=all / 16).contains(&apart), "{apart} of {all}");
    let Next::Claim {
        orders_max,
        claim_order,
    } = scheduler.next(secs(2000))
    else {
        panic!("lanes are free");
    };
    if claim_order != ClaimOrder::Apart {
        assert!(scheduler.claimed(claim_order, orders_max, 0, secs(2000)));
    }
    assert!(matches!(
        scheduler.next(secs(2000)),
        Next::Claim {
            claim_order: ClaimOrder::Apart,
            ..
        }
    ));
    assert!(
        !scheduler.claimed(ClaimOrder::Apart, 1, 0, secs(2000)),
        "nobody is due"
    );
}

#[test]
fn a_question_that_hangs_gives_its_lane_away_as_often_as_twice_the_lanes() {
    let mut scheduler = scheduler(2, 1000.0);
    for n in 0..3 {
        assert_eq!(asks(scheduler.next(secs(n))), 2);
        assert_eq!(scheduler.next(secs(n)), Next::Full);
        let (first, second) = (scheduler.fetch_hangs(), scheduler.fetch_hangs());
        assert_eq!((first, second), (n < 2, n < 2));
    }
    scheduler.release(PermitKind::Hanging);
    assert_eq!(scheduler.next(secs(9)), Next::Full, "two hang in the lanes");
    scheduler.release(PermitKind::Slot);
    assert_eq!(asks(scheduler.next(secs(9))), 1);
}

#[test]
fn an_answer_to_an_older_question_does_not_end_what_sinch_asked_for() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(asks(scheduler.next(secs(0))), 4);
    fail_in_a_row(&mut scheduler, 0, 3, &unavailable(Some(100)), secs(0));
    answer(&mut scheduler, "o9", secs(0), secs(1));
    assert_eq!(scheduler.next(secs(1)), Next::Wait(secs(100)));
    scheduler.resumed();
    (0..4).for_each(|_| scheduler.release(PermitKind::Slot));
    assert_eq!(asks(scheduler.next(secs(1))), 4, "but an operator does");
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
        // By now it is proven; that no other order is due proves nothing else.
        for n in 40..80 {
            assert!(fail(&mut scheduler, "bad", &error, secs(n)), "{error}");
        }
        assert_eq!(*scheduler.circuit(), Circuit::default(), "{error}");
        // But when other orders fail, too, it may be the provider.
        fail(&mut scheduler, "o1", &unavailable(None), secs(90));
        assert!(
            !fail(&mut scheduler, "bad", &timed_out(), secs(90)),
            "{error}"
        );
        assert_eq!(scheduler.circuit().failures, 1, "nor does it say so");
    }
}

#[test]
fn a_failure_while_nobody_is_answered_is_the_providers() {
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
fn many_failures_of_one_order_that_are_of_its_kind_speak_of_it_unless_asking_pauses() {
    let mut scheduler = scheduler(1, 1000.0);
    for n in 0..100 {
        assert!(fail(&mut scheduler, "bad", &UNUSABLE, secs(n)));
    }
    assert_eq!(scheduler.circuit().paused, None);
    fail_in_a_row(&mut scheduler, 0, 9, &unavailable(None), secs(100));
    assert_eq!(scheduler.next(secs(100)), Next::Wait(secs(130)));
    // A probe that tells nothing opens the circuit again, too, even if it was of the same order.
    assert_eq!(asks(scheduler.next(secs(130))), 1);
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
        // The first few may be unknown indeed.
        assert_eq!((result.is_ok(), own), (order < 2, order < 2), "{order}");
    }
    let (_, reason) = wrong.circuit().paused.clone().expect("asking pauses");
    assert!(matches!(reason, NoAnswer::NoneKnown { .. }), "{reason:?}");

    // Any order that Sinch shows, now or ever before, proves the set-up right.
    let shown = Answer::Found(number_order::Snapshot {
        state: number_order::Status::Known(number_order::State::Created),
        updated_at: secs(0),
        expires_at: None,
        unreadable_expiry: None,
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

#[test]
fn what_an_earlier_run_left_closed_stays_closed() {
    let mut before = scheduler(1, 5.0);
    fail(&mut before, "o1", &busy_for(100), secs(0));
    let again = |now| Scheduler::new(before.limits.clone(), before.circuit().clone(), true, now);
    // Perhaps a probe was in flight when the run ended.
    assert_eq!(again(secs(105)).next(secs(106)), Next::Wait(secs(135)));
    let mut after = again(secs(1));
    assert_eq!(after.next(secs(1)), Next::Wait(secs(100)));
    assert_eq!(asks(after.next(secs(100))), 1);
    assert_eq!(after.next(secs(101)), Next::Full, "a probe goes out alone");
}
