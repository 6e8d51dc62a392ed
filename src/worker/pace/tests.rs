//! The pace of asking, moment by moment.

use super::*;
use crate::sinch::api::{Endpoint, Trouble};

mod told;

/// A question about an order fails, which was sent just before.
fn fail(pace: &mut Pace, order: &str, error: &AskError, now: Time) -> bool {
    pace.tried(&id(order), Err(error.clone()), now, now, 0.0).1
}

/// A question is answered.
fn answer(pace: &mut Pace, order: &str, asked_at: Time, now: Time) {
    let (result, _) = pace.tried(&id(order), Ok(Answer::NotFound), asked_at, now, 0.0);
    assert!(result.is_ok());
}

fn pace(lanes: u32, asks_per_second: f64) -> Pace {
    let limits = Limits {
        lanes,
        asks_per_second,
        probes_apart_max: Duration::from_secs(300),
    };
    Pace::new(limits, Gate::default(), true, secs(0))
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn secs(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

fn unavailable(retry_after: Option<u64>) -> AskError {
    AskError::Provider {
        at: Endpoint::Orders,
        trouble: Trouble::Status(503),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

const UNUSABLE: AskError = AskError::Order {
    status: 500,
    why: "Sinch failed over this order",
};

fn refused(by: Endpoint, status: u16) -> AskError {
    AskError::Refused {
        by,
        status,
        project: id("p"),
    }
}

fn forbidden() -> AskError {
    refused(Endpoint::Orders, 403)
}

/// The token endpoint asks to be left alone, which is believed at once.
fn busy_for(secs: u64) -> AskError {
    AskError::Provider {
        at: Endpoint::Token,
        trouble: Trouble::Status(429),
        retry_after: Some(Duration::from_secs(secs)),
    }
}

fn timed_out() -> AskError {
    AskError::Provider {
        at: Endpoint::Orders,
        trouble: Trouble::TimedOut,
        retry_after: None,
    }
}

fn asks(next: Next) -> u32 {
    match next {
        Next::Ask { orders_max, .. } => orders_max,
        Next::Wait(_) | Next::Full => 0,
    }
}

#[test]
fn no_more_at_once_than_there_are_lanes_and_the_rate_allows() {
    let mut pace = pace(3, 20.0);
    assert_eq!(asks(pace.next(secs(0))), 2, "a tenth of a second's worth");
    let Next::Wait(until) = pace.next(secs(0)) else {
        panic!("one lane is free, but the rate is used up");
    };
    assert!(until > secs(0) && until <= Time(50_001), "{until}");
    assert_eq!(asks(pace.next(until)), 1);
    assert_eq!(pace.next(secs(9)), Next::Full);
    pace.freed(Seat::Lane);
    assert_eq!(asks(pace.next(secs(9))), 1);
}

#[test]
fn over_time_the_rate_is_kept_and_used() {
    let mut pace = pace(4, 5.0);
    let (mut now, mut asked) = (secs(0), 0);
    while now < secs(1000) {
        match pace.next(now) {
            Next::Ask { orders_max, .. } => {
                asked += orders_max;
                (0..orders_max).for_each(|_| pace.freed(Seat::Lane));
            }
            Next::Wait(until) => now = until,
            Next::Full => panic!("all lanes are free"),
        }
    }
    assert!((4990..=5001).contains(&asked), "{asked}");
}

#[test]
fn one_place_in_four_is_for_whoever_has_waited_longest() {
    for lanes in [1, 3, 4, 7] {
        let mut pace = pace(lanes, 1e6);
        let (mut all, mut oldest) = (0, 0);
        while all < 1000 * lanes {
            if let Next::Ask { orders_max, turn } = pace.next(secs(i64::from(all))) {
                all += orders_max;
                if turn == Turn::Oldest {
                    oldest += orders_max;
                }
                (0..orders_max).for_each(|_| pace.freed(Seat::Lane));
            }
        }
        assert_eq!(oldest, all / 4, "{lanes} lanes");
    }
}

#[test]
fn places_of_all_sizes_are_shared_out_alike() {
    let mut pace = pace(1, 1.0);
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut all, mut oldest, mut since) = (0, 0, 0);
    for _ in 0..10_000 {
        let places = rng.u32(1..=200);
        all += places;
        match pace.turn(places) {
            Turn::Oldest => (oldest, since) = (oldest + places, 0),
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

/// Claims what may be claimed, which takes so long, and lets all that was in the lanes end meanwhile.
fn claim(pace: &mut Pace, now: &mut Time, took: Duration, ends: u32) -> u32 {
    let places = asks(pace.next(*now));
    (0..ends).for_each(|_| pace.freed(Seat::Lane));
    *now = now.plus(took);
    if places > 0 {
        pace.claimed(Turn::Urgent, places, places, *now);
    }
    places
}

#[test]
fn a_fast_sinch_finds_orders_in_hand_and_a_slow_one_or_a_low_rate_does_not() {
    let ms = Duration::from_millis;
    // Lanes; the rate; how long an answer takes, in ms; and what is in hand after a while.
    for (lanes, rate, answer_ms, in_hand) in [
        (1, 1e6, 1, 20..=30),
        (8, 1e6, 1, 180..=220),
        (8, 1e6, 200, 0..=2),
        (8, 100.0, 1, 2..=3),
        (4, 5.0, 1, 0..=0),
    ] {
        let (mut pace, mut now) = (pace(lanes, rate), secs(0));
        for _ in 0..2000 {
            // A claim takes 1 ms, as does all else here.
            let ends = match now.since(secs(0)).as_micros() / 1000 % answer_ms {
                0 => lanes.min(pace.under_way),
                _ => 0,
            };
            claim(&mut pace, &mut now, ms(1), ends);
        }
        assert!(
            in_hand.contains(&pace.ahead),
            "{} in hand for {lanes} lanes, {rate} a second, {answer_ms} ms",
            pace.ahead
        );
    }
}

#[test]
fn places_that_found_no_order_are_free_again() {
    let mut pace = pace(4, 1000.0);
    assert_eq!(asks(pace.next(secs(0))), 4);
    pace.claimed(Turn::Oldest, 4, 1, secs(0));
    assert_eq!(asks(pace.next(secs(1))), 3);
}

#[test]
fn what_is_in_hand_waits_for_no_closed_gate() {
    let mut pace = pace(2, 1000.0);
    assert_eq!(asks(pace.next(secs(0))), 2);
    assert!(pace.may_ask(Seat::Lane, secs(0)));
    fail(&mut pace, "o1", &busy_for(10), secs(0));
    assert!(!pace.may_ask(Seat::Lane, secs(1)));
    assert!(
        !pace.may_ask(Seat::Lane, secs(10)),
        "a probe goes out alone"
    );
    pace.freed(Seat::Lane);
    assert!(pace.may_ask(Seat::Lane, secs(10)));
}

/// Has so many orders fail one after the other, from `first` on.
fn fail_in_a_row(pace: &mut Pace, first: usize, orders: usize, error: &AskError, now: Time) {
    for n in first..first + orders {
        assert!(!fail(pace, &format!("o{n}"), error, now), "o{n}");
    }
}

#[test]
fn in_doubt_one_at_a_time_is_asked_about_whom_chance_picks_and_then_the_gate_closes() {
    let mut pace = pace(4, 1000.0);
    assert_eq!(asks(pace.next(secs(0))), 4);
    fail_in_a_row(&mut pace, 0, 3, &unavailable(None), secs(1));
    assert_eq!(pace.gate().paused, None);
    // One is still under way.
    (0..3).for_each(|_| pace.freed(Seat::Lane));
    assert_eq!(pace.next(secs(1)), Next::Full);
    assert!(!fail(&mut pace, "o3", &unavailable(None), secs(0)));
    pace.freed(Seat::Lane);
    for n in 4..10 {
        let turn = Turn::Chance;
        assert_eq!(
            pace.next(secs(1)),
            Next::Ask {
                orders_max: 1,
                turn
            }
        );
        assert_eq!(pace.next(secs(1)), Next::Full);
        assert_eq!(pace.kept_apart().len(), n, "those that failed are left out");
        fail_in_a_row(&mut pace, n, 1, &unavailable(None), secs(1));
        pace.freed(Seat::Lane);
    }
    assert_eq!(pace.next(secs(1)), Next::Wait(secs(31)));
}

#[test]
fn what_was_sent_before_the_doubt_adds_nothing_to_it() {
    let mut pace = pace(16, 1000.0);
    fail_in_a_row(&mut pace, 0, 3, &unavailable(None), secs(9));
    for n in 3..16 {
        let order = id(&format!("o{n}"));
        let failed = Err(unavailable(None));
        assert!(!pace.tried(&order, failed, secs(1), secs(10), 0.0).1);
    }
    assert_eq!(pace.gate().paused, None);
    answer(&mut pace, "good", secs(9), secs(10));
    assert_eq!(*pace.gate(), Gate::default());
}

#[test]
fn a_probe_goes_out_alone_and_an_answer_opens_the_gate() {
    let mut pace = pace(4, 1000.0);
    fail_in_a_row(&mut pace, 0, 9, &unavailable(None), secs(0));
    assert_eq!(pace.next(secs(0)), Next::Wait(secs(30)));
    assert_eq!(asks(pace.next(secs(30))), 1);
    assert_eq!(pace.next(secs(30)), Next::Full);
    pace.freed(Seat::Lane);
    fail_in_a_row(&mut pace, 9, 1, &unavailable(None), secs(30));
    assert_eq!(pace.next(secs(31)), Next::Wait(secs(60)));
    assert_eq!(asks(pace.next(secs(60))), 1);
    answer(&mut pace, "good", secs(60), secs(60));
    pace.freed(Seat::Lane);
    assert_eq!(asks(pace.next(secs(61))), 4);
    assert_eq!(*pace.gate(), Gate::default());
    assert!(pace.kept_apart().is_empty(), "it was the provider");
}

#[test]
fn a_pause_that_came_of_few_orders_is_tried_by_others_that_are_not_known_to_fail() {
    let mut pace = pace(4, 1000.0);
    for n in 0..9 {
        assert!(!fail(
            &mut pace,
            ["o1", "o2"][n % 2],
            &unavailable(None),
            secs(0)
        ));
    }
    assert!(pace.gate().paused.is_some());
    let turn = Turn::Chance;
    assert_eq!(
        pace.next(secs(1)),
        Next::Ask {
            orders_max: 1,
            turn
        }
    );
    assert!(!pace.claimed(turn, 1, 0, secs(1)), "nobody else is due");
    assert_eq!(asks(pace.next(secs(2))), 1);
    assert!(!pace.may_ask(Seat::Apart, secs(2)));
    assert!(pace.may_ask(Seat::Lane, secs(2)));
    fail_in_a_row(&mut pace, 3, 1, &unavailable(None), secs(2));
    pace.freed(Seat::Lane);
    assert_eq!(
        pace.next(secs(3)),
        Next::Wait(secs(30)),
        "three fail: enough"
    );
}

#[test]
fn whoever_is_known_to_fail_has_a_place_in_sixteen_and_those_that_the_others_leave() {
    let mut pace = pace(4, 1e6);
    fail(&mut pace, "bad", &unavailable(None), secs(0));
    answer(&mut pace, "good", secs(0), secs(0));
    let (mut all, mut apart) = (0, 0);
    for n in 0..1600 {
        let Next::Ask { orders_max, turn } = pace.next(secs(n)) else {
            panic!("lanes are free");
        };
        pace.claimed(turn, orders_max, orders_max, secs(n));
        all += orders_max;
        let seat = if turn == Turn::Apart {
            Seat::Apart
        } else {
            Seat::Lane
        };
        apart += u32::from(turn == Turn::Apart);
        (0..orders_max).for_each(|_| pace.freed(seat));
    }
    assert!((all / 20..=all / 16).contains(&apart), "{apart} of {all}");
    let Next::Ask { orders_max, turn } = pace.next(secs(2000)) else {
        panic!("lanes are free");
    };
    if turn != Turn::Apart {
        assert!(pace.claimed(turn, orders_max, 0, secs(2000)));
    }
    assert!(matches!(
        pace.next(secs(2000)),
        Next::Ask {
            turn: Turn::Apart,
            ..
        }
    ));
    assert!(
        !pace.claimed(Turn::Apart, 1, 0, secs(2000)),
        "nobody is due"
    );
}

#[test]
fn a_question_that_hangs_gives_its_lane_away_as_often_as_twice_the_lanes() {
    let mut pace = pace(2, 1000.0);
    for n in 0..3 {
        assert_eq!(asks(pace.next(secs(n))), 2);
        assert_eq!(pace.next(secs(n)), Next::Full);
        let (first, second) = (pace.hangs(), pace.hangs());
        assert_eq!((first, second), (n < 2, n < 2));
    }
    pace.freed(Seat::Hanging);
    assert_eq!(pace.next(secs(9)), Next::Full, "two hang in the lanes");
    pace.freed(Seat::Lane);
    assert_eq!(asks(pace.next(secs(9))), 1);
}

#[test]
fn an_answer_to_an_older_question_does_not_end_what_sinch_asked_for() {
    let mut pace = pace(4, 1000.0);
    assert_eq!(asks(pace.next(secs(0))), 4);
    fail_in_a_row(&mut pace, 0, 3, &unavailable(Some(100)), secs(0));
    answer(&mut pace, "o9", secs(0), secs(1));
    assert_eq!(pace.next(secs(1)), Next::Wait(secs(100)));
    pace.resumed();
    (0..4).for_each(|_| pace.freed(Seat::Lane));
    assert_eq!(asks(pace.next(secs(1))), 4, "but an operator does");
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
        let mut pace = pace(1, 1000.0);
        fail(&mut pace, "bad", &error, secs(0));
        for n in 1..40 {
            answer(&mut pace, "good", secs(n), secs(n));
            assert!(fail(&mut pace, "bad", &error, secs(n)), "{error}");
        }
        // By now it is proven; that nobody else is due proves nothing else.
        for n in 40..80 {
            assert!(fail(&mut pace, "bad", &error, secs(n)), "{error}");
        }
        assert_eq!(*pace.gate(), Gate::default(), "{error}");
        // But when others fail, too, it may be the provider.
        fail(&mut pace, "o1", &unavailable(None), secs(90));
        assert!(!fail(&mut pace, "bad", &timed_out(), secs(90)), "{error}");
        assert_eq!(pace.gate().failures, 1, "nor does it say so");
    }
}

#[test]
fn a_failure_while_nobody_is_answered_is_the_providers() {
    for error in [unavailable(None), forbidden(), timed_out()] {
        let mut pace = pace(1, 1000.0);
        for n in 0..200 {
            let order = format!("o{}", n % 3);
            assert!(!fail(&mut pace, &order, &error, secs(n)), "{error}");
        }
        assert!(pace.gate().paused.is_some(), "{error}");
    }
}

#[test]
fn many_failures_of_one_order_that_are_of_its_kind_speak_of_it_unless_asking_pauses() {
    let mut pace = pace(1, 1000.0);
    for n in 0..100 {
        assert!(fail(&mut pace, "bad", &UNUSABLE, secs(n)));
    }
    assert_eq!(pace.gate().paused, None);
    fail_in_a_row(&mut pace, 0, 9, &unavailable(None), secs(100));
    assert_eq!(pace.next(secs(100)), Next::Wait(secs(130)));
    // A probe that tells nothing is followed by a pause, too, even if it was the same order's again.
    assert_eq!(asks(pace.next(secs(130))), 1);
    pace.freed(Seat::Lane);
    assert!(!fail(&mut pace, "o8", &UNUSABLE, secs(130)));
    assert_eq!(pace.next(secs(130)), Next::Wait(secs(160)));
}

#[test]
fn where_no_order_was_ever_found_unknown_ones_are_a_fault_of_the_set_up() {
    let limits = pace(1, 1000.0).limits;
    let ask = |pace: &mut Pace, order: usize, result| {
        let now = secs(order as i64);
        pace.tried(&id(&format!("o{order}")), result, now, now, 0.0)
    };
    let unknown = || Ok(Answer::NotFound);
    let mut wrong = Pace::new(limits.clone(), Gate::default(), false, secs(0));
    for order in 0..40 {
        let (result, own) = ask(&mut wrong, order, unknown());
        // The first few may be what they seem to be.
        assert_eq!((result.is_ok(), own), (order < 2, order < 2), "{order}");
    }
    let (_, reason) = wrong.gate().paused.clone().expect("asking pauses");
    assert!(
        reason.starts_with("none of ") && reason.contains("sinch.api_url"),
        "{reason}"
    );

    // Any order that Sinch shows, now or ever before, proves the set-up right.
    let shown = Answer::Found(crate::order::Snapshot {
        state: crate::order::Status::Known(crate::order::State::Created),
        updated_at: secs(0),
        expires_at: None,
        remark: None,
        sent_at: None,
    });
    let mut mended = wrong;
    mended.resumed();
    assert!(ask(&mut mended, 40, Ok(shown)).1);
    for mut right in [mended, Pace::new(limits, Gate::default(), true, secs(0))] {
        for order in 0..40 {
            assert_eq!(
                ask(&mut right, order, unknown()),
                (Ok(Answer::NotFound), true)
            );
        }
        assert_eq!(*right.gate(), Gate::default());
    }
}

#[test]
fn what_an_earlier_run_left_closed_stays_closed() {
    let mut before = pace(1, 5.0);
    fail(&mut before, "o1", &busy_for(100), secs(0));
    let again = |now| Pace::new(before.limits.clone(), before.gate().clone(), true, now);
    // Perhaps a probe was under way when the run ended.
    assert_eq!(again(secs(105)).next(secs(106)), Next::Wait(secs(135)));
    let mut after = again(secs(1));
    assert_eq!(after.next(secs(1)), Next::Wait(secs(100)));
    assert_eq!(asks(after.next(secs(100))), 1);
    assert_eq!(after.next(secs(101)), Next::Full, "a probe goes out alone");
}
