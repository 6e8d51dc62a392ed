//! Acceptance of deliveries, by one replica and by several at once.

use std::collections::HashMap;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;
use inbox::BATCH_MAX;
use number_order::{NotUnderstood, OtherEvent};

#[tokio::test]
async fn an_event_is_stored_once_and_its_duplicates_are_counted() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let first = delivery("e1", "o1", State::InReview, 10);
    assert_eq!(accept(&store, first.clone()).await, Accepted::New);
    assert_eq!(accept(&store, first.clone()).await, Accepted::Duplicate);
    let mut other = first.clone();
    other.body = "another body".into();
    assert_eq!(accept(&store, other.clone()).await, Accepted::Conflict);
    assert_eq!(accept(&store, other).await, Accepted::Duplicate);
    let counted = fixture.text("SELECT string_agg(n::text, ',') FROM duplicates");
    assert_eq!(counted, "1,1", "two bodies, each came twice");
    assert_eq!(fixture.number("SELECT count(*) FROM pending"), 2);
}

#[tokio::test]
async fn without_an_event_id_the_body_tells_a_duplicate() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let mut nameless = delivery("-", "o1", State::InReview, 10);
    nameless.event_id = None;
    assert_eq!(accept(&store, nameless.clone()).await, Accepted::New);
    assert_eq!(accept(&store, nameless.clone()).await, Accepted::Duplicate);
    nameless.body = "another body".into();
    assert_eq!(accept(&store, nameless).await, Accepted::New);
}

/// Nothing genuine is refused for what it says: PostgreSQL stores no character 0, and reads no JSON that has one.
#[tokio::test]
async fn what_the_database_cannot_store_is_accepted_all_the_same() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let odd = NewDelivery {
        event_id: Some("e\0x".to_owned()),
        subject: DeliveryContent::Order {
            order: id("o1"),
            status: Status::Unknown("NEW\0WORD".to_owned()),
            said_at: None,
        },
        ..delivery("-", "o1", State::InReview, 10)
    };
    let number = NewDelivery {
        event_id: Some("e2".to_owned()),
        subject: DeliveryContent::Other(OtherEvent {
            resource_type: "ACTIVE\0NUMBER".to_owned(),
            resource: Some("+4400\0".to_owned()),
            event_type: None,
            status: None,
            failure_code: None,
        }),
        ..delivery("-", "o1", State::InReview, 10)
    };
    let not_understood = NewDelivery {
        event_id: None,
        subject: DeliveryContent::NotUnderstood(NotUnderstood::ProjectMismatch {
            named: "\0".to_owned(),
            project: id(PROJECT),
        }),
        ..delivery("-", "o1", State::InReview, 10)
    };
    for delivery in [odd, number, not_understood] {
        assert_eq!(accept(&store, delivery.clone()).await, Accepted::New);
        assert_eq!(accept(&store, delivery).await, Accepted::Duplicate);
    }
    let report = process(&store, 20).await;
    assert_eq!((report.taken, report.processed.len()), (2, 1));
}

#[tokio::test]
async fn a_refused_delivery_does_not_keep_the_others_of_its_batch_out() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let mut foreign = delivery("e1", "o1", State::InReview, 10);
    foreign.project = id("nobody's");
    let mut accepting = JoinSet::new();
    for n in 0..50 {
        let (store, mut one) = (store.clone(), foreign.clone());
        if n != 25 {
            one = delivery(&format!("e{n}"), "o1", State::InReview, 10);
        }
        accepting.spawn(async move { (n, store.accept(one).await) });
    }
    for (n, accepted) in accepting.join_all().await {
        match accepted {
            Ok(accepted) => assert_eq!((accepted, n == 25), (Accepted::New, false)),
            Err(error) => {
                assert!(matches!(error, StoreError::Rejected(_)), "{n}: {error}");
                assert_eq!(n, 25);
            }
        }
    }
}

/// Four replicas take the same events at once, in another order each, among them some with two bodies. Sorted batches
/// wait for each other in one direction only; the server counts its deadlocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_take_the_same_events_at_once_store_each_once() {
    const EVENTS: u64 = 400;
    let fixture = fixture!(Fixture::new());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut accepting = JoinSet::new();
    for _ in 0..4 {
        let store = fixture.store().await;
        let mut events: Vec<u64> = (0..EVENTS).collect();
        chance.shuffle(&mut events);
        for event in events {
            for body in 0..=u64::from(event % 10 == 0) {
                let store = store.clone();
                let mut delivery = delivery(&format!("e{event}"), "o1", State::InReview, 10);
                delivery.body = format!("{event} {body}").into();
                accepting.spawn(async move { ((event, body), accept(&store, delivery).await) });
            }
        }
    }
    let mut new: HashMap<(u64, u64), u32> = HashMap::new();
    let mut duplicates = 0;
    for (key, accepted) in accepting.join_all().await {
        match accepted {
            Accepted::New | Accepted::Conflict => *new.entry(key).or_default() += 1,
            Accepted::Duplicate => duplicates += 1,
        }
    }
    let bodies = EVENTS as i64 + EVENTS as i64 / 10;
    assert_eq!(new.len() as i64, bodies);
    assert!(new.values().all(|times| *times == 1), "each was new once");
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries"), bodies);
    assert_eq!(fixture.number("SELECT count(*) FROM pending"), bodies);
    assert_eq!(fixture.number("SELECT sum(n) FROM duplicates"), duplicates);
    assert_eq!(duplicates, 3 * bodies);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(fixture.number(deadlocks), 0);
}

/// Control: where batches are not sorted, replicas that take the same events at once wait for each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_are_not_sorted_deadlock() {
    let fixture = fixture!(Fixture::new());
    fixture.store().await;
    let sorted = "ORDER BY p.id, t.dedup_key, t.digest";
    let unsorted: &'static str = inbox::INSERT.replace(sorted, "").leak();
    assert_ne!(unsorted, inbox::INSERT);
    let connector = connect::Connector::new(&fixture.settings()).expect("an address");
    for (sql, rounds) in [(inbox::INSERT, 30), (unsorted, 1000)] {
        let (deadlocked, barrier) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(4)));
        let mut inserting = JoinSet::new();
        for _ in 0..4 {
            let mut db = connector.by_key().connect().await.expect("connects");
            let (deadlocked, barrier) = (deadlocked.clone(), barrier.clone());
            inserting.spawn(async move {
                for round in 0..rounds {
                    let mut events: Vec<u64> = (0..BATCH_MAX as u64).collect();
                    fastrand::shuffle(&mut events);
                    let new = |event: u64| {
                        let event = format!("{round} {event} {rounds}");
                        Incoming::new(&delivery(&event, "o1", State::InReview, 10), 10)
                    };
                    let events: Vec<Incoming> = events.into_iter().map(new).collect();
                    barrier.wait().await;
                    match inbox::insert(&mut db, sql, &events).await {
                        Ok(_) => {}
                        Err(fault) => {
                            assert_eq!(fault.class(), error::Class::Retry, "{fault}");
                            deadlocked.fetch_add(1, Relaxed);
                        }
                    }
                    barrier.wait().await;
                    if deadlocked.load(Relaxed) > 0 {
                        break;
                    }
                }
            });
        }
        inserting.join_all().await;
        assert_eq!(deadlocked.load(Relaxed) > 0, sql == unsorted);
    }
}
