//! Fetches that an open, half-open or suspect circuit lets pass.

use super::*;

#[test]
fn a_prefetched_order_is_not_fetched_through_an_open_circuit() {
    let mut scheduler = scheduler(2, 1000.0);
    assert_eq!(orders_max(scheduler.next(secs(0))), 2);
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

#[test]
fn a_suspect_circuit_lets_one_order_at_a_time_pass_at_random_and_then_opens() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(orders_max(scheduler.next(secs(0))), 4);
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
            scheduler.isolated().len(),
            n,
            "those that failed are left out"
        );
        fail_in_a_row(&mut scheduler, n, 1, &unavailable(None), secs(1));
        scheduler.release(PermitKind::Slot);
    }
    assert_eq!(scheduler.next(secs(1)), Next::Wait(secs(31)));
}

#[test]
fn a_fetch_sent_before_the_circuit_was_suspect_adds_nothing_to_that() {
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
fn a_probe_goes_out_alone_and_an_answer_closes_the_circuit() {
    let mut scheduler = scheduler(4, 1000.0);
    fail_in_a_row(&mut scheduler, 0, 9, &unavailable(None), secs(0));
    assert_eq!(scheduler.next(secs(0)), Next::Wait(secs(30)));
    assert_eq!(orders_max(scheduler.next(secs(30))), 1);
    assert_eq!(scheduler.next(secs(30)), Next::Full);
    scheduler.release(PermitKind::Slot);
    fail_in_a_row(&mut scheduler, 9, 1, &unavailable(None), secs(30));
    assert_eq!(scheduler.next(secs(31)), Next::Wait(secs(60)));
    assert_eq!(orders_max(scheduler.next(secs(60))), 1);
    answer(&mut scheduler, "good", secs(60), secs(60));
    scheduler.release(PermitKind::Slot);
    assert_eq!(orders_max(scheduler.next(secs(61))), 4);
    assert_eq!(*scheduler.circuit(), Circuit::default());
    assert!(scheduler.isolated().is_empty(), "the provider was at fault");
}

#[test]
fn a_circuit_that_few_orders_opened_is_tried_with_others_that_are_not_known_to_fail() {
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
        !scheduler.claimed(claim_order, 1, 1, 0, secs(1)),
        "no other is due"
    );
    assert_eq!(orders_max(scheduler.next(secs(2))), 1);
    assert!(!scheduler.may_fetch(PermitKind::Isolated, secs(2)));
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
fn an_answer_to_an_older_fetch_does_not_end_the_wait_that_sinch_asked_for() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(orders_max(scheduler.next(secs(0))), 4);
    fail_in_a_row(&mut scheduler, 0, 3, &unavailable(Some(100)), secs(0));
    answer(&mut scheduler, "o9", secs(0), secs(1));
    assert_eq!(scheduler.next(secs(1)), Next::Wait(secs(100)));
    scheduler.resumed();
    (0..4).for_each(|_| scheduler.release(PermitKind::Slot));
    assert_eq!(
        orders_max(scheduler.next(secs(1))),
        4,
        "but an operator does"
    );
}

#[test]
fn a_circuit_that_an_earlier_run_left_open_stays_open() {
    let mut before = scheduler(1, 5.0);
    fail(&mut before, "o1", &busy_for(100), secs(0));
    let again = |now| Scheduler::new(before.limits.clone(), before.circuit().clone(), true, now);
    // A probe may have been in flight when the earlier run ended.
    assert_eq!(again(secs(105)).next(secs(106)), Next::Wait(secs(135)));
    let mut after = again(secs(1));
    assert_eq!(after.next(secs(1)), Next::Wait(secs(100)));
    assert_eq!(orders_max(after.next(secs(100))), 1);
    assert_eq!(after.next(secs(101)), Next::Full, "a probe goes out alone");
}

#[test]
fn a_circuit_that_another_process_opened_holds_and_one_that_it_closed_is_closed() {
    let open = Circuit {
        failures: 9,
        paused: Some((
            secs(30),
            NoAnswer::TimedOut {
                endpoint: Endpoint::Orders,
            },
        )),
        paused_since: Some(secs(0)),
    };
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(orders_max(scheduler.next(secs(0))), 4);
    scheduler.adopt(open.clone(), secs(1));
    assert!(!scheduler.may_fetch(PermitKind::Slot, secs(1)));
    assert_eq!(scheduler.next(secs(1)), Next::Wait(secs(30)));
    // A fetch that was in flight then proves nothing.
    answer(&mut scheduler, "o1", secs(0), secs(2));
    assert_eq!(scheduler.circuit(), &open);
    (0..4).for_each(|_| scheduler.release(PermitKind::Slot));
    let claim_order = ClaimOrder::Chance;
    let probe = Next::Claim {
        orders_max: 1,
        claim_order,
    };
    assert_eq!(scheduler.next(secs(30)), probe);
    answer(&mut scheduler, "o2", secs(30), secs(31));
    assert_eq!(scheduler.circuit(), &Circuit::default());
    scheduler.release(PermitKind::Slot);
    scheduler.adopt(open, secs(32));
    scheduler.adopt(Circuit::default(), secs(33));
    assert_eq!(orders_max(scheduler.next(secs(33))), 4);
}
