//! Tests of the simulated world: histories, events and replies, without HTTP.

mod http;

use std::collections::BTreeSet;

use super::*;
use number_order::{Answer, Snapshot, Status, Time};
use sinch_numbers::callback::{Callback, NUMBER_ORDER};

const START: Time = Time(1_770_091_506_123_456);
const SEEDS: std::ops::Range<u64> = 0..12;

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn project() -> Id {
    id("5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3")
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn script(orders: usize, span: Duration, faults: Faults) -> Script {
    Script {
        project: project(),
        orders,
        span,
        faults,
    }
}

fn hostile() -> Script {
    script(200, secs(3 * 24 * 3600), Faults::hostile())
}

fn bodies(world: &World) -> Vec<String> {
    let events = world.events().iter();
    events
        .map(|event| event.body(world.project(), START))
        .collect()
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let (one, same, other) = (
        World::new(7, &hostile()),
        World::new(7, &hostile()),
        World::new(8, &hostile()),
    );
    assert_eq!(one, same);
    assert_eq!(bodies(&one), bodies(&same));
    assert_ne!(bodies(&one), bodies(&other));
}

#[test]
fn histories_take_legal_steps_within_the_span() {
    for seed in SEEDS {
        for script in [Script::demo(project()), hostile()] {
            let world = World::new(seed, &script);
            assert_eq!(world.orders().count(), script.orders, "seed {seed}");
            for history in world.orders() {
                let context = format!("seed {seed}, order {}: {:?}", history.id, history.states);
                assert_eq!(history.states[0].1, State::Created, "{context}");
                for step in history.states.windows(2) {
                    let [(before, from), (after, to)] = [step[0], step[1]];
                    assert!(before < after, "{context}");
                    assert!(from.is_final() || from.may_become(to), "{context}");
                }
                let reopened = history.is_reopened();
                assert!(!reopened || script.faults.reopened > 0.0, "{context}");
                let (last, state) = history.states[history.states.len() - 1];
                assert!(last <= script.span + Duration::from_millis(1), "{context}");
                assert!(state.is_final() || reopened, "{context}");
                assert_eq!(history.state_at(last), history.final_state(), "{context}");
                assert!(
                    history.created() < history.expires || history.expires.is_none(),
                    "{context}"
                );
            }
        }
    }
}

#[test]
fn an_end_that_no_fetch_shows_is_announced() {
    for seed in SEEDS {
        let world = World::new(seed, &hostile());
        let needs_event =
            |history: &&OrderHistory| history.gone_at.is_some() || history.is_reopened();
        for history in world.orders().filter(needs_event) {
            assert!(
                last_is_announced(&world, history),
                "seed {seed}, order {}",
                history.id
            );
        }
    }
}

#[test]
fn ids_sort_by_creation() {
    let world = World::new(3, &hostile());
    let created: Vec<_> = world.orders().map(OrderHistory::created).collect();
    assert!(created.is_sorted());
}

#[test]
fn every_order_is_announced_and_its_last_event_arrives_where_it_must() {
    for seed in SEEDS {
        let mut worst = Faults::hostile();
        worst.lost = 0.9;
        let world = World::new(seed, &script(100, secs(10), worst.clone()));
        let announced = announced_orders(&world);
        for history in world.orders() {
            assert!(
                announced.contains(&history.id),
                "seed {seed}, order {}",
                history.id
            );
        }

        worst.reachable = false;
        let world = World::new(seed, &script(100, secs(10), worst.clone()));
        assert!(announced_orders(&world).len() < 100, "seed {seed}");

        worst.lose_last = false;
        let world = World::new(seed, &script(100, secs(10), worst));
        for history in world.orders() {
            assert!(
                last_is_announced(&world, history),
                "seed {seed}, order {}",
                history.id
            );
        }
    }
}

fn last_is_announced(world: &World, history: &OrderHistory) -> bool {
    let last = history.states.last().map(|(at, _)| *at);
    world.events().iter().any(|event| {
        let sent = matches!(event.content, EventContent::State(_)) && !event.sent_at.is_empty();
        event.order == history.id && Some(event.at) == last && sent
    })
}

fn announced_orders(world: &World) -> BTreeSet<Id> {
    let sent = world.events().iter().filter(|event| {
        matches!(event.content, EventContent::State(_)) && !event.sent_at.is_empty()
    });
    sent.map(|event| event.order.clone()).collect()
}

/// Kinds of faults that the world met, where every order is fetched several times.
fn kinds_met(world: &World) -> BTreeSet<&'static str> {
    let mut met = BTreeSet::new();
    let mut meet = |kind, met_now: bool| {
        if met_now {
            met.insert(kind);
        }
    };
    for event in world.events() {
        meet("lost", event.sent_at.is_empty());
        meet("duplicated", event.sent_at.len() > 1);
        meet("delayed", event.is_delayed());
        meet("ahead", event.skew_micros > 0);
        meet("behind", event.skew_micros < 0);
        meet(
            "number",
            matches!(event.content, EventContent::Number { .. }),
        );
        meet("unreadable", event.content == EventContent::Unreadable);
    }
    for history in world.orders() {
        for step in history.states.windows(2) {
            meet("reopened", step[0].1.is_final());
            meet("quick", step[1].0.saturating_sub(step[0].0) < secs(1));
        }
        meet("whole_seconds", history.fraction_digits == 0);
        meet("fine", history.fraction_digits > 0);
        meet("gone", history.gone_at.is_some());
        let mut rng = world.reply_rng(history);
        for (at, _) in &history.states {
            match world.answer(history, *at + Duration::from_millis(500), &mut rng) {
                Reply::Current => meet("true", true),
                Reply::Stale(_) => meet("stale", true),
                Reply::Slow(_) => meet("slow", true),
                Reply::NotFound => meet("missing", true),
                Reply::Unauthorized => meet("unauthorized", true),
                Reply::Throttled { .. } => meet("throttled", true),
                Reply::ServerError { .. } => meet("broken", true),
                Reply::Shows { .. } | Reply::Raw { .. } => panic!("never by chance"),
            }
        }
    }
    met
}

#[test]
fn every_kind_of_fault_occurs() {
    for seed in SEEDS {
        let met = kinds_met(&World::new(seed, &hostile()));
        assert_eq!(met.len(), 19, "seed {seed}: {met:?}");
    }
    let quiet = kinds_met(&World::new(1, &script(200, secs(3600), Faults::none())));
    assert_eq!(
        quiet.into_iter().collect::<Vec<_>>(),
        ["fine", "quick", "true"]
    );
}

#[test]
fn callbacks_say_what_the_history_says() {
    let world = World::new(5, &hostile());
    for event in world.events() {
        let body = event.body(world.project(), START);
        let callback = Callback::read(body.as_bytes());
        let Ok(callback) = callback else {
            assert!(matches!(event.content, EventContent::Unreadable), "{body}");
            continue;
        };
        let resource = callback.resource_type.text();
        match &event.content {
            EventContent::State(state) => {
                assert_eq!(resource, Some(NUMBER_ORDER), "{body}");
                assert_eq!(callback.resource_id.text(), Some(event.order.as_str()));
                let status = callback.status.text().map(Status::from_word);
                assert_eq!(status, Some(Status::Known(*state)), "{body}");
                let said_at = callback.timestamp.time().map(Time::from);
                assert_eq!(said_at, Some(event.said_at(START)), "{body}");
                let event_id = event.event_id(START);
                assert_eq!(callback.event_id.text(), Some(event_id.as_str()));
                let project = callback.project_id.text();
                assert_eq!(project, Some(world.project().as_str()));
                let history = world.order(&event.order).expect("an order of the world");
                assert_eq!(history.state_at(event.at), Some(*state));
            }
            EventContent::Number { .. } => assert_eq!(resource, Some("ACTIVE_NUMBER"), "{body}"),
            EventContent::Unreadable => panic!("{body} is an object"),
        }
    }
}

#[test]
fn replies_show_the_order_as_they_should() {
    let history = vec![(secs(2), State::Created), (secs(5), State::Expired)];
    let mut history = OrderHistory::new(id("o1"), history);
    history.fraction_digits = 0;
    history.gone_at = Some(secs(9));
    let found = |state, micros| {
        Some(Answer::Found(Snapshot {
            state,
            updated_at: Time(micros),
            expires_at: None,
            unreadable_expiry: None,
            details: None,
            sent_at: None,
        }))
    };
    let created = found(Status::Known(State::Created), 1_770_091_508_000_000);
    let expired = found(Status::Known(State::Expired), 1_770_091_511_000_000);
    let shows = |word: &str| Reply::Shows {
        state: word.to_owned(),
        updated: secs(2),
    };
    for (fetched_at, reply, shown) in [
        (1, Reply::Current, Some(Answer::NotFound)),
        (4, Reply::Current, created.clone()),
        (5, Reply::Current, expired.clone()),
        (6, Reply::Stale(secs(2)), created),
        (6, Reply::Stale(secs(5)), Some(Answer::NotFound)),
        (6, Reply::Stale(secs(7)), Some(Answer::NotFound)),
        (6, Reply::Slow(secs(60)), expired.clone()),
        (6, Reply::NotFound, Some(Answer::NotFound)),
        (9, Reply::Current, Some(Answer::NotFound)),
        (9, Reply::Stale(secs(1)), expired),
        (6, Reply::Unauthorized, None),
        (6, Reply::ServerError { status: 502 }, None),
        (
            6,
            shows("PAUSED"),
            found(Status::Unknown("PAUSED".to_owned()), 1_770_091_508_000_000),
        ),
    ] {
        let mut answer = history.shown(secs(fetched_at), &reply, START);
        if let Some(Answer::Found(snapshot)) = &mut answer {
            let sent = START.plus(secs(fetched_at)).0;
            let whole = Time(sent - sent.rem_euclid(1_000_000));
            assert_eq!(snapshot.sent_at.take(), Some(whole));
        }
        assert_eq!(answer, shown, "{reply:?} at {fetched_at} s");
    }
}
