//! Tests of the world by itself.

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

fn script(orders: usize, span: Duration, trouble: Trouble) -> Script {
    Script {
        project: project(),
        orders,
        span,
        trouble,
    }
}

fn hostile() -> Script {
    script(200, secs(3 * 24 * 3600), Trouble::hostile())
}

fn bodies(world: &World) -> Vec<String> {
    let notices = world.notices().iter();
    notices
        .map(|notice| notice.body(world.project(), START))
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
                let context = format!("seed {seed}, order {}: {:?}", history.id, history.history);
                assert_eq!(history.history[0].1, State::Created, "{context}");
                for step in history.history.windows(2) {
                    let [(before, from), (after, to)] = [step[0], step[1]];
                    assert!(before < after, "{context}");
                    assert!(from.is_final() || from.may_become(to), "{context}");
                }
                let reopened = history.is_reopened();
                assert!(!reopened || script.trouble.reopened > 0.0, "{context}");
                let (last, state) = history.history[history.history.len() - 1];
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
fn what_asking_cannot_show_is_told() {
    for seed in SEEDS {
        let world = World::new(seed, &hostile());
        let unasked = |history: &&OrderHistory| history.gone_at.is_some() || history.is_reopened();
        for history in world.orders().filter(unasked) {
            assert!(
                last_is_told(&world, history),
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
fn every_order_is_heard_of_and_the_last_event_arrives_where_it_must() {
    for seed in SEEDS {
        let mut worst = Trouble::hostile();
        worst.lost = 0.9;
        let world = World::new(seed, &script(100, secs(10), worst.clone()));
        let heard = heard_of(&world);
        for history in world.orders() {
            assert!(
                heard.contains(&history.id),
                "seed {seed}, order {}",
                history.id
            );
        }

        worst.reachable = false;
        let world = World::new(seed, &script(100, secs(10), worst.clone()));
        assert!(heard_of(&world).len() < 100, "seed {seed}");

        worst.lose_last = false;
        let world = World::new(seed, &script(100, secs(10), worst));
        for history in world.orders() {
            assert!(
                last_is_told(&world, history),
                "seed {seed}, order {}",
                history.id
            );
        }
    }
}

fn last_is_told(world: &World, history: &OrderHistory) -> bool {
    let last = history.history.last().map(|(at, _)| *at);
    world.notices().iter().any(|notice| {
        let sent = matches!(notice.says, Says::State(_)) && !notice.sent_at.is_empty();
        notice.order == history.id && Some(notice.at) == last && sent
    })
}

fn heard_of(world: &World) -> BTreeSet<Id> {
    let sent = world
        .notices()
        .iter()
        .filter(|notice| matches!(notice.says, Says::State(_)) && !notice.sent_at.is_empty());
    sent.map(|notice| notice.order.clone()).collect()
}

/// Kinds of trouble that the world met, where every order is fetched several times.
fn kinds_met(world: &World) -> BTreeSet<&'static str> {
    let mut met = BTreeSet::new();
    let mut meet = |kind, met_now: bool| {
        if met_now {
            met.insert(kind);
        }
    };
    for notice in world.notices() {
        meet("lost", notice.sent_at.is_empty());
        meet("doubled", notice.sent_at.len() > 1);
        meet("delayed", notice.is_delayed());
        meet("ahead", notice.skew_micros > 0);
        meet("behind", notice.skew_micros < 0);
        meet("number", matches!(notice.says, Says::Number { .. }));
        meet("gibberish", notice.says == Says::Gibberish);
    }
    for history in world.orders() {
        for step in history.history.windows(2) {
            meet("reopened", step[0].1.is_final());
            meet("hasty", step[1].0.saturating_sub(step[0].0) < secs(1));
        }
        meet("coarse", history.fraction_digits == 0);
        meet("fine", history.fraction_digits > 0);
        meet("gone", history.gone_at.is_some());
        let mut rng = world.dice(history);
        for (at, _) in &history.history {
            match world.answer(history, *at + Duration::from_millis(500), &mut rng) {
                Reply::True => meet("true", true),
                Reply::Stale(_) => meet("stale", true),
                Reply::Slow(_) => meet("slow", true),
                Reply::Missing => meet("missing", true),
                Reply::Unauthorized => meet("unauthorized", true),
                Reply::Throttled { .. } => meet("throttled", true),
                Reply::Broken { .. } => meet("broken", true),
                Reply::Says { .. } | Reply::Raw { .. } => panic!("never by chance"),
            }
        }
    }
    met
}

#[test]
fn every_kind_of_trouble_occurs() {
    for seed in SEEDS {
        let met = kinds_met(&World::new(seed, &hostile()));
        assert_eq!(met.len(), 19, "seed {seed}: {met:?}");
    }
    let quiet = kinds_met(&World::new(1, &script(200, secs(3600), Trouble::none())));
    assert_eq!(
        quiet.into_iter().collect::<Vec<_>>(),
        ["fine", "hasty", "true"]
    );
}

#[test]
fn callbacks_say_what_the_history_says() {
    let world = World::new(5, &hostile());
    for notice in world.notices() {
        let body = notice.body(world.project(), START);
        let callback = Callback::read(body.as_bytes());
        let Ok(callback) = callback else {
            assert!(matches!(notice.says, Says::Gibberish), "{body}");
            continue;
        };
        let resource = callback.resource_type.text();
        match &notice.says {
            Says::State(state) => {
                assert_eq!(resource, Some(NUMBER_ORDER), "{body}");
                assert_eq!(callback.resource_id.text(), Some(notice.order.as_str()));
                let status = callback.status.text().map(Status::from_word);
                assert_eq!(status, Some(Status::Known(*state)), "{body}");
                let said_at = callback.timestamp.time().map(Time::from);
                assert_eq!(said_at, Some(notice.said_at(START)), "{body}");
                let event = notice.event_id(START);
                assert_eq!(callback.event_id.text(), Some(event.as_str()));
                let project = callback.project_id.text();
                assert_eq!(project, Some(world.project().as_str()));
                let history = world.order(&notice.order).expect("an order of the world");
                assert_eq!(history.state_at(notice.at), Some(*state));
            }
            Says::Number { .. } => assert_eq!(resource, Some("ACTIVE_NUMBER"), "{body}"),
            Says::Gibberish => panic!("{body} is an object"),
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
    let says = |word: &str| Reply::Says {
        state: word.to_owned(),
        updated: secs(2),
    };
    for (asked, reply, shown) in [
        (1, Reply::True, Some(Answer::NotFound)),
        (4, Reply::True, created.clone()),
        (5, Reply::True, expired.clone()),
        (6, Reply::Stale(secs(2)), created),
        (6, Reply::Stale(secs(5)), Some(Answer::NotFound)),
        (6, Reply::Stale(secs(7)), Some(Answer::NotFound)),
        (6, Reply::Slow(secs(60)), expired.clone()),
        (6, Reply::Missing, Some(Answer::NotFound)),
        (9, Reply::True, Some(Answer::NotFound)),
        (9, Reply::Stale(secs(1)), expired),
        (6, Reply::Unauthorized, None),
        (6, Reply::Broken { status: 502 }, None),
        (
            6,
            says("PAUSED"),
            found(Status::Unknown("PAUSED".to_owned()), 1_770_091_508_000_000),
        ),
    ] {
        let mut answer = history.shown(secs(asked), &reply, START);
        if let Some(Answer::Found(snapshot)) = &mut answer {
            let sent = START.plus(secs(asked)).0;
            let whole = Time(sent - sent.rem_euclid(1_000_000));
            assert_eq!(snapshot.sent_at.take(), Some(whole));
        }
        assert_eq!(answer, shown, "{reply:?} at {asked} s");
    }
}
