//! Permits of fetches: within slots and rate limit, shared between urgent, oldest and failing orders.

use std::collections::VecDeque;

use super::*;

#[test]
fn no_more_at_once_than_there_are_slots_and_the_rate_allows() {
    let mut scheduler = scheduler(3, 20.0);
    assert_eq!(scheduler.rate().burst, 2, "a tenth of a second's worth");
    assert_eq!(scheduler.rate().interval, Duration::from_millis(50));
    assert_eq!(orders_max(scheduler.next(secs(0))), 3);
    scheduler.claimed(ClaimOrder::Urgent, 3, 2, 2, secs(0));
    assert_eq!(orders_max(scheduler.next(secs(0))), 1);
    scheduler.not_allowed(ClaimOrder::Urgent, 1);
    assert_eq!(orders_max(scheduler.next(secs(1))), 1, "the rate took none");
    assert_eq!(scheduler.next(secs(9)), Next::Full);
    scheduler.release(PermitKind::Slot);
    assert_eq!(orders_max(scheduler.next(secs(9))), 1);
}

#[test]
fn one_permit_in_four_is_for_the_order_that_has_waited_longest() {
    for slots in [1, 3, 4, 7] {
        let mut scheduler = scheduler(slots, 1e6);
        let (mut all, mut oldest) = (0, 0);
        while all < 1000 * slots {
            if let Next::Claim {
                orders_max,
                claim_order,
            } = scheduler.next(secs(i64::from(all)))
            {
                scheduler.count_permits(claim_order, orders_max);
                all += orders_max;
                if claim_order == ClaimOrder::Oldest {
                    oldest += orders_max;
                }
                (0..orders_max).for_each(|_| scheduler.release(PermitKind::Slot));
            }
        }
        assert_eq!(oldest, all / 4, "{slots} slots");
    }
}

#[test]
fn permits_in_portions_of_all_sizes_are_shared_out_alike() {
    let mut scheduler = scheduler(1, 1.0);
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut all, mut oldest, mut since) = (0, 0, 0);
    for _ in 0..10_000 {
        let permits = rng.u32(1..=200);
        all += permits;
        let claim_order = scheduler.claim_order(permits);
        scheduler.count_permits(claim_order, permits);
        match claim_order {
            ClaimOrder::Oldest => (oldest, since) = (oldest + permits, 0),
            _ => since += permits,
        }
        assert!(
            since <= 4 * 200,
            "{since} permits without one for the oldest"
        );
    }
    let share = f64::from(oldest) / f64::from(all);
    assert!((0.2..=0.25).contains(&share), "{share}");
}

/// Claims the orders that slots and rate allow. The claim lasts for `took`, and `ends` fetches in the slots end in that
/// time. `sent` is the number of fetches since second 0.
fn claim(scheduler: &mut Scheduler, now: &mut Time, sent: &mut u32, took: Duration, ends: u32) {
    let permits = orders_max(scheduler.next(*now));
    let passed = now.since(secs(0)).as_secs_f64() / scheduler.rate().interval.as_secs_f64();
    let allowed = permits.min((passed as u32 + 1).saturating_sub(*sent));
    (0..ends).for_each(|_| scheduler.release(PermitKind::Slot));
    *now = now.plus(took);
    *sent += allowed;
    if allowed == 0 {
        scheduler.not_allowed(ClaimOrder::Urgent, permits);
    } else {
        scheduler.claimed(ClaimOrder::Urgent, permits, allowed, allowed, *now);
    }
}

#[test]
fn a_fast_sinch_finds_prefetched_orders_and_a_slow_one_or_a_low_rate_does_not() {
    let ms = Duration::from_millis;
    // Row of the table: slots; the rate; time of an answer, in ms; and number of prefetched orders after a while.
    for (slots, rate, answer_ms, prefetched) in [
        (1, 1e6, 1, 20..=30),
        (8, 1e6, 1, 180..=220),
        (8, 1e6, 200, 0..=2),
        (8, 100.0, 1, 2..=3),
        (4, 5.0, 1, 0..=0),
    ] {
        let (mut scheduler, mut now, mut sent) = (scheduler(slots, rate), secs(0), 0);
        for _ in 0..2000 {
            // A claim takes 1 ms, as does every other step.
            let ends = match now.since(secs(0)).as_micros() / 1000 % answer_ms {
                0 => slots.min(scheduler.under_way),
                _ => 0,
            };
            claim(&mut scheduler, &mut now, &mut sent, ms(1), ends);
        }
        assert!(
            prefetched.contains(&scheduler.prefetch_max),
            "{} in hand for {slots} slots, {rate} a second, {answer_ms} ms",
            scheduler.prefetch_max
        );
    }
}

#[test]
fn permits_that_found_no_order_are_free_again() {
    let mut scheduler = scheduler(4, 1000.0);
    assert_eq!(orders_max(scheduler.next(secs(0))), 4);
    scheduler.claimed(ClaimOrder::Oldest, 4, 4, 1, secs(0));
    assert_eq!(orders_max(scheduler.next(secs(1))), 3);
}

#[test]
fn an_isolated_order_has_a_permit_in_sixteen_and_those_that_the_others_leave() {
    let mut scheduler = scheduler(4, 1e6);
    fail(&mut scheduler, "bad", &unavailable(None), secs(0));
    answer(&mut scheduler, "good", secs(0), secs(0));
    let (mut all, mut isolated) = (0, 0);
    for n in 0..1600 {
        let Next::Claim {
            orders_max,
            claim_order,
        } = scheduler.next(secs(n))
        else {
            panic!("slots are free");
        };
        scheduler.claimed(claim_order, orders_max, orders_max, orders_max, secs(n));
        all += orders_max;
        let kind = if claim_order == ClaimOrder::Isolated {
            PermitKind::Isolated
        } else {
            PermitKind::Slot
        };
        isolated += u32::from(claim_order == ClaimOrder::Isolated);
        (0..orders_max).for_each(|_| scheduler.release(kind));
    }
    assert!(
        (all / 20..=all / 16).contains(&isolated),
        "{isolated} of {all}"
    );
    let Next::Claim {
        orders_max,
        claim_order,
    } = scheduler.next(secs(2000))
    else {
        panic!("slots are free");
    };
    if claim_order != ClaimOrder::Isolated {
        assert!(scheduler.claimed(claim_order, orders_max, orders_max, 0, secs(2000)));
    }
    assert!(matches!(
        scheduler.next(secs(2000)),
        Next::Claim {
            claim_order: ClaimOrder::Isolated,
            ..
        }
    ));
    assert!(
        !scheduler.claimed(ClaimOrder::Isolated, 1, 1, 0, secs(2000)),
        "none is due"
    );
}

#[test]
fn an_isolated_order_is_claimed_only_where_a_slot_can_send_its_fetch() {
    let mut scheduler = scheduler(1, 1e6);
    fail(&mut scheduler, "bad", &unavailable(None), secs(0));
    answer(&mut scheduler, "good", secs(0), secs(0));
    for n in 1..16 {
        let Next::Claim {
            orders_max: 1,
            claim_order,
        } = scheduler.next(secs(n))
        else {
            panic!("the slot is free");
        };
        assert_ne!(claim_order, ClaimOrder::Isolated, "{n}");
        scheduler.claimed(claim_order, 1, 1, 1, secs(n));
        if n < 15 {
            scheduler.release(PermitKind::Slot);
        }
    }
    assert_eq!(
        scheduler.next(secs(16)),
        Next::Full,
        "its turn, and no slot"
    );
    scheduler.release(PermitKind::Slot);
    let isolated = Next::Claim {
        orders_max: 1,
        claim_order: ClaimOrder::Isolated,
    };
    assert_eq!(scheduler.next(secs(17)), isolated);
}

/// Plays a minute of fetches, of which each commit and each answer take the given number of milliseconds, with a backlog without
/// end. Returns the number of fetches that are sent.
fn sent_in_a_minute(slots: usize, rate: f64, commit_ms: i64, answer_ms: i64) -> usize {
    let mut scheduler = scheduler(slots as u32, rate);
    let (mut prefetched, mut in_slots) = (VecDeque::new(), Vec::<i64>::new());
    let mut claim: Option<(i64, ClaimOrder, u32)> = None;
    let mut sent = 0;
    for ms in 0..60_000 {
        let now = Time(ms * 1000);
        if let Some((_, claim_order, orders)) = claim.take_if(|(ends_at, ..)| *ends_at <= ms) {
            scheduler.claimed(claim_order, orders, orders, orders, now);
            prefetched.extend((0..orders).map(|_| now));
        }
        let ended = in_slots.extract_if(.., |ends_at| *ends_at <= ms);
        ended.for_each(|_| scheduler.release(PermitKind::Slot));
        while in_slots.len() < slots
            && let Some(since) = prefetched.pop_front()
        {
            let is_late = now.since(since) > PREFETCHED_MAX;
            sent += usize::from(!is_late);
            in_slots.push(ms + if is_late { commit_ms } else { answer_ms });
        }
        if claim.is_none()
            && let Next::Claim {
                orders_max,
                claim_order,
            } = scheduler.next(now)
        {
            claim = Some((ms + commit_ms, claim_order, orders_max));
        }
    }
    sent
}

#[test]
fn however_slow_the_disk_is_slots_fetch_and_do_not_only_release() {
    for (slots, rate, commit_ms, answer_ms) in [
        (1, 2000.0, 500, 1),
        (1, 2000.0, 500, 300),
        (1, 300.0, 1000, 1),
        (4, 300.0, 500, 300),
        (4, 1000.0, 1000, 1),
        (4, 1000.0, 2000, 100),
    ] {
        let sent = sent_in_a_minute(slots, rate, commit_ms, answer_ms);
        // At least one for each slot and claim, as without prefetching.
        let least = slots * 60_000 / (2 * commit_ms + answer_ms) as usize;
        assert!(
            sent >= least / 2,
            "{slots} slots, {rate} a second, {commit_ms} ms, {answer_ms} ms: {sent} of {least}"
        );
    }
}

#[test]
fn in_doubt_an_isolated_order_is_fetched_while_the_next_claim_goes_on() {
    let mut scheduler = scheduler(4, 1e6);
    fail(
        &mut scheduler,
        "only",
        &not_now(Endpoint::Orders, 429, Some(1)),
        secs(0),
    );
    assert_eq!(scheduler.mode(secs(2)), Mode::Suspect);
    let chance = Next::Claim {
        orders_max: 1,
        claim_order: ClaimOrder::Chance,
    };
    assert_eq!(scheduler.next(secs(2)), chance);
    assert!(scheduler.claimed(ClaimOrder::Chance, 1, 1, 0, secs(2)));
    let isolated = Next::Claim {
        orders_max: 1,
        claim_order: ClaimOrder::Isolated,
    };
    assert_eq!(scheduler.next(secs(2)), isolated);
    assert!(scheduler.claimed(ClaimOrder::Isolated, 1, 1, 1, secs(2)));
    assert_eq!(scheduler.next(secs(2)), chance);
    assert!(scheduler.may_fetch(PermitKind::Isolated, secs(2)));
}

#[test]
fn a_fetch_that_hangs_gives_its_slot_away_as_often_as_twice_the_slots() {
    let mut scheduler = scheduler(2, 1000.0);
    for n in 0..3 {
        assert_eq!(orders_max(scheduler.next(secs(n))), 2);
        assert_eq!(scheduler.next(secs(n)), Next::Full);
        let (first, second) = (scheduler.fetch_hangs(), scheduler.fetch_hangs());
        assert_eq!((first, second), (n < 2, n < 2));
    }
    scheduler.release(PermitKind::Hanging);
    assert_eq!(scheduler.next(secs(9)), Next::Full, "two hang in the slots");
    scheduler.release(PermitKind::Slot);
    assert_eq!(orders_max(scheduler.next(secs(9))), 1);
}
