//! Random calls at random times: what must hold whatever the readings are.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::*;
use crate::ordering::faults::Faults;

/// Does something to one of the orders, or creates one.
fn act(play: &mut Play, ids: &mut Vec<Id>, rng: &mut Rng) {
    let Some(id) = rng.choice(&*ids).filter(|_| rng.u8(0..4) > 0).cloned() else {
        let body = match rng.u8(0..3) {
            0 => au(&format!("+61491571{:03}", rng.u16(0..5))),
            1 => us(),
            _ => json!({
                "regionCode": "AU",
                "numberType": "MOBILE",
                "quantityOrderOption": {"requestedQuantity": rng.u8(1..5)},
            }),
        };
        ids.extend(play.create(&body));
        return;
    };
    let purposes = ["codes", "BLOCK-ONCE", "REJECT", "NO-REVIEW", ""];
    // Refusals are fine: the order may be at its end.
    let _ = match rng.u8(0..3) {
        0 => play.register(&id, rng.choice(purposes).unwrap_or("")),
        1 => play.upload(&id),
        _ => play.submit(&id).map(drop),
    };
}

fn check(play: &Play, before: &mut BTreeMap<Id, State>, context: &str) {
    let mut owners = BTreeMap::new();
    for order in play.model.orders.values() {
        let context = format!("{context}, order {}", order.id);
        assert!(order.updated_at <= play.now, "{context}");
        let was = before.insert(order.id.clone(), order.state);
        let may_skip = !order.product.has_form && order.state == State::Completed;
        if let Some(was) = was.filter(|was| *was != order.state) {
            let is_legal = was.leads_to(order.state) || was == State::Created && may_skip;
            assert!(is_legal, "{context}: {was:?} to {:?}", order.state);
        }
        if !matches!(order.state, State::Expired | State::Rejected) {
            for number in &order.numbers {
                let other = owners.insert(number.clone(), order.id.clone());
                assert_eq!(other, None, "{context}: {number} has two orders");
                assert!(!play.model.stock.has(number), "{context}: {number}");
            }
        }
    }
    for number in play.model.numbers.keys() {
        let owner = owners.get(number).map(|id| play.state(id));
        assert_eq!(owner, Some(State::Completed), "{context}: {number}");
    }
}

#[test]
fn whatever_comes_an_order_takes_legal_steps_and_owns_its_numbers() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let mut play = Play::new(|script| {
            *script = Script::hostile(seed);
            script.readings.reservation = Duration::from_secs(rng.u64(1..60));
        });
        let (mut ids, mut before) = (Vec::new(), BTreeMap::new());
        let mut ends: BTreeMap<Id, State> = BTreeMap::new();
        for step in 0..60 {
            let context = format!("seed {seed}, step {step}");
            act(&mut play, &mut ids, &mut rng);
            check(&play, &mut before, &context);
            let longest = if rng.bool() { 200 } else { 6000 };
            play.wait(Duration::from_millis(rng.u64(0..longest)));
            check(&play, &mut before, &context);
            for made in play.model.take_announcements() {
                let Content::Order(state) = made.content else {
                    continue;
                };
                let last = ends.insert(made.order.clone(), state);
                let is_final = last.is_some_and(State::is_final);
                assert!(!is_final, "{context}: {last:?}, then {state:?}");
                assert_ne!(last, Some(state), "{context}: announced twice");
            }
        }
        play.settle();
        for made in play.model.take_announcements() {
            if let Content::Order(state) = made.content {
                ends.insert(made.order, state);
            }
        }
        for (id, announced) in ends {
            assert_eq!(play.state(&id), announced, "seed {seed}, order {id}");
        }
    }
}

#[test]
fn each_rate_brings_its_fault() {
    let statuses = |fault: Option<Fault>| match fault {
        Some(Fault::AnswerBroken(status) | Fault::Broken(status)) => Some(status),
        _ => None,
    };
    let mut met = std::collections::BTreeSet::new();
    for (set, expected) in [
        ("none", None),
        ("request_lost", Some(Fault::RequestLost(Silence::Cut))),
        ("answer_lost", Some(Fault::AnswerLost(Silence::Cut))),
        ("answer_broken", Some(Fault::AnswerBroken(0))),
        ("broken", Some(Fault::Broken(0))),
        ("throttled", Some(Fault::Throttled)),
        ("unauthorized", Some(Fault::Unauthorized)),
    ] {
        let rate = |name: &str| if name == set { 1.0 } else { 0.0 };
        let rates = FaultRates {
            request_lost: rate("request_lost"),
            answer_lost: rate("answer_lost"),
            answer_broken: rate("answer_broken"),
            broken: rate("broken"),
            throttled: rate("throttled"),
            unauthorized: rate("unauthorized"),
            ..FaultRates::none()
        };
        let mut faults = Faults::new(1);
        faults.push(Call::GetOrder, None);
        faults.push(Call::GetOrder, Some(Fault::Throttled));
        assert_eq!(faults.next(Call::GetOrder, &rates), None, "{set}");
        let second = faults.next(Call::GetOrder, &rates);
        assert_eq!(second, Some(Fault::Throttled), "{set}");
        for call in [Call::GetOrder, Call::CreateOrder].repeat(50) {
            let fault = faults.next(call, &rates);
            met.extend(statuses(fault));
            let kind = fault.as_ref().map(std::mem::discriminant);
            assert_eq!(kind, expected.as_ref().map(std::mem::discriminant), "{set}");
        }
    }
    assert_eq!(Vec::from_iter(met), [500, 502, 503, 504]);
}

#[test]
fn reviews_and_callbacks_follow_their_rates() {
    for (blocked, rejected, end) in [
        (1.0, 0.0, State::Blocked),
        (0.0, 1.0, State::Rejected),
        (0.0, 0.0, State::Completed),
    ] {
        let mut play = Play::new(|script| {
            (script.faults.blocked, script.faults.rejected) = (blocked, rejected);
            script.faults.callback_late = blocked;
            script.faults.late_max = Duration::from_secs(9);
        });
        let id = play.place_au("codes");
        play.settle();
        assert_eq!(play.state(&id), end);
        let made = play.model.take_announcements();
        let delays = made.iter().map(|made| made.send_at.since(made.said_at));
        let longest = delays.max().expect("callbacks");
        assert!(longest <= Duration::from_secs(9), "{longest:?}");
        assert_eq!(longest > Duration::ZERO, blocked > 0.0, "{longest:?}");
    }
    let mut play = Play::new(|_| {});
    let id = play.place_au("BLOCK-ALWAYS");
    play.model.verdicts.push_back(Verdict::Rejected);
    play.settle();
    assert_eq!(play.state(&id), State::Rejected, "a test has the last word");
}
