//! Pruning of what has been kept for its retention period.

use super::*;
use number_order::{NotUnderstood, OtherEvent};

/// Retention periods in these tests.
const SPANS: RetentionPeriods = RetentionPeriods {
    events: Duration::from_secs(30 * 86_400),
    bodies: Duration::from_secs(100),
    deliveries: Duration::from_secs(1000),
    parked: Duration::from_secs(3000),
    quarantine: Duration::from_secs(3000),
    orders: Duration::from_secs(5000),
};

impl Fixture {
    /// Runs one step of pruning.
    pub(in crate::store) async fn prune(&self, now: Time) -> Pruned {
        let pruned = self.store.prune(SPANS, now).await.expect("prunes");
        Pruned {
            released_bytes: 0,
            ..pruned
        }
    }

    /// Prunes until nothing is left to do.
    pub(in crate::store) async fn prune_all(&self, now: Time) -> Vec<Pruned> {
        let mut steps = Vec::new();
        loop {
            match self.prune(now).await {
                pruned if pruned.taken == 0 => return steps,
                pruned => steps.push(pruned),
            }
        }
    }

    async fn body(&self, delivery: i64) -> Body {
        let body = self.store.body(delivery).await.expect("reads");
        body.expect("is known")
    }
}

fn number(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        subject: DeliveryContent::Other(OtherEvent::default()),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn unreadable(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        subject: DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn kept(delivery: &NewDelivery) -> Body {
    Body::Kept(delivery.body.to_vec())
}

async fn a_body_stays_to_the_last_microsecond_and_no_longer(on: Backend) {
    let fixture = Fixture::on(on).await;
    let (order, number) = (delivery("e1", "o1", State::InReview, 10), number("e2", 20));
    fixture.accept(order.clone()).await;
    fixture.accept(number.clone()).await;
    fixture.process(30).await;
    assert_eq!(fixture.prune(Time(at(110).0 - 1)).await, Pruned::default());
    assert_eq!(fixture.body(1).await, kept(&order));

    let one = Pruned {
        taken: 1,
        bodies: 1,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune(at(110)).await, one);
    assert_eq!(fixture.prune(at(110)).await, Pruned::default());
    assert_eq!(fixture.body(1).await, Body::Gone);
    assert_eq!(fixture.body(2).await, kept(&number));
    assert_eq!(fixture.prune(at(120)).await, one);
    assert_eq!(fixture.body(2).await, Body::Gone);
    let history = fixture.history("o1").await;
    assert_eq!(history.deliveries[0].status.as_deref(), Some("IN_REVIEW"));
}

async fn without_its_body_a_delivery_still_tells_duplicates_from_conflicts(on: Backend) {
    let fixture = Fixture::on(on).await;
    let first = delivery("e1", "o1", State::InReview, 10);
    let mut nameless = delivery("-", "o1", State::InReview, 10);
    nameless.event_id = None;
    let mut empty = number("e2", 10);
    empty.body = bytes::Bytes::new();
    for delivery in [&first, &nameless, &empty] {
        assert_eq!(fixture.accept(delivery.clone()).await, Accepted::New);
    }
    fixture.process(20).await;
    assert_eq!(fixture.prune(at(500)).await.bodies, 3);
    let fixture = fixture.again().await;
    for delivery in [&first, &nameless, &empty] {
        assert_eq!(fixture.accept(delivery.clone()).await, Accepted::Duplicate);
        assert_eq!(
            fixture.body(1).await,
            Body::Gone,
            "a repeat brings none back"
        );
    }
    let mut other = first.clone();
    for body in ["another body", ""] {
        other.body = body.into();
        assert_eq!(fixture.accept(other.clone()).await, Accepted::Conflict);
        assert_eq!(fixture.accept(other.clone()).await, Accepted::Duplicate);
    }
    nameless.body = "another body".into();
    assert_eq!(fixture.accept(nameless).await, Accepted::New);
    // Retention does the same once the conflicts' bodies are emptied as well.
    fixture.process(20).await;
    assert_eq!(fixture.prune(at(500)).await.bodies, 3);
    assert_eq!(fixture.accept(other.clone()).await, Accepted::Duplicate);
    other.body = "a third body".into();
    assert_eq!(fixture.accept(other).await, Accepted::Conflict);
}

async fn what_waits_and_what_is_parked_is_not_touched(on: Backend) {
    let fixture = Fixture::on(on).await;
    let waiting = delivery("e1", "o1", State::InReview, 10);
    let (parked, behind) = (unreadable("e2", 10), number("e3", 10));
    for delivery in [&waiting, &parked, &behind] {
        fixture.accept(delivery.clone()).await;
    }
    // No delivery is processed, though the third is recorded already.
    assert_eq!(fixture.prune(at(500)).await, Pruned::default());
    fixture.process(500).await;
    let pruned = Pruned {
        taken: 3,
        bodies: 2,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune(at(500)).await, pruned);
    assert_eq!(fixture.body(1).await, Body::Gone);
    assert_eq!(fixture.body(2).await, kept(&parked));
    assert_eq!(fixture.body(3).await, Body::Gone);
}

/// A clock that was ahead holds retention up; a clock that was behind removes nothing too early.
async fn nothing_goes_before_what_came_before_it(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (event, secs) in [("e1", 10), ("e2", 900), ("e3", 10)] {
        fixture.accept(number(event, secs)).await;
    }
    fixture.process(900).await;
    assert_eq!(fixture.prune(at(500)).await.bodies, 1);
    assert_eq!(fixture.prune(at(500)).await.bodies, 0);
    assert_eq!(fixture.prune(at(1000)).await.bodies, 2);
}

async fn small_steps_finish_the_work(on: Backend) {
    let fixture = Fixture::on(on).await;
    let calls = (0..1020).map(|n| {
        let store = fixture.store.clone();
        let event = format!("e{n}");
        // Every third delivery is parked.
        let delivery = match n % 3 {
            0 => unreadable(&event, 10),
            _ => number(&event, 10),
        };
        tokio::spawn(async move { store.accept(delivery).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let accepted = call.await.expect("no panic");
        assert_eq!(accepted, Ok(Accepted::New));
    }
    while fixture.process(20).await.taken > 0 {}
    let taken = |steps: &[Pruned]| steps.iter().map(|step| step.taken).collect::<Vec<_>>();
    let bodies = fixture.prune_all(at(500)).await;
    assert_eq!(taken(&bodies), [256, 256, 256, 252]);
    assert_eq!(bodies.iter().map(|step| step.bodies).sum::<u64>(), 680);
    let gone = async |fixture: &Fixture| {
        let mut gone = 0;
        for delivery in 1..=1020 {
            let body = fixture.store.body(delivery).await.expect("reads");
            gone += u64::from(body == Some(Body::Gone));
        }
        gone
    };
    assert_eq!(gone(&fixture).await, 680);

    let deliveries = fixture.prune_all(at(1500)).await;
    assert_eq!(taken(&deliveries), [256, 256, 256, 252]);
    let removed = deliveries.iter().map(|step| step.deliveries).sum::<u64>();
    assert_eq!(removed, 680);
    assert_eq!(gone(&fixture).await, 0);
    let left = fixture
        .store
        .deliveries(&parked_only(1000))
        .await
        .expect("reads")
        .items;
    assert_eq!(left.len(), 340);

    let parked = fixture.prune_all(at(3500)).await;
    assert_eq!(parked.iter().map(|step| step.parked).sum::<u64>(), 340);
    let left = fixture
        .store
        .deliveries(&parked_only(1000))
        .await
        .expect("reads")
        .items;
    assert_eq!(left.len(), 0);
}

async fn a_delivery_stays_to_the_last_microsecond_and_a_parked_one_for_longer(on: Backend) {
    let fixture = Fixture::on(on).await;
    let order = delivery("e1", "o1", State::InReview, 10);
    for delivery in [&order, &unreadable("e2", 10), &number("e3", 10)] {
        fixture.accept(delivery.clone()).await;
    }
    fixture.process(20).await;
    fixture.prune_all(at(500)).await;
    assert_eq!(fixture.prune(Time(at(1010).0 - 1)).await, Pruned::default());
    assert_eq!(fixture.accept(order.clone()).await, Accepted::Duplicate);
    let pruned = Pruned {
        taken: 3,
        deliveries: 2,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune(at(1010)).await, pruned);
    for delivery in [1, 3] {
        assert_eq!(fixture.store.body(delivery).await, Ok(None));
    }
    let history = fixture.history("o1").await;
    assert_eq!(history.deliveries.len(), 0);
    assert_eq!(history.order.state, Some("IN_REVIEW"));
    assert_eq!(history.transitions.len(), 1, "the order keeps its history");

    assert_eq!(fixture.prune(Time(at(3010).0 - 1)).await, Pruned::default());
    assert_eq!(fixture.body(2).await, kept(&unreadable("e2", 10)));
    let pruned = Pruned {
        taken: 1,
        parked: 1,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune(at(3010)).await, pruned);
    assert_eq!(fixture.store.body(2).await, Ok(None));
    assert_eq!(fixture.accept(order).await, Accepted::New);
}

async fn what_is_old_but_not_processed_stays_whole(on: Backend) {
    let fixture = Fixture::on(on).await;
    let waiting = delivery("e1", "o1", State::InReview, 10);
    let behind = unreadable("e2", 10);
    fixture.accept(waiting.clone()).await;
    fixture.accept(behind.clone()).await;
    assert_eq!(fixture.prune(at(9000)).await, Pruned::default());
    assert_eq!(fixture.body(1).await, kept(&waiting));
    assert_eq!(fixture.body(2).await, kept(&behind));
    assert_eq!(fixture.process(9000).await.processed.len(), 1);
    let pruned = fixture.prune(at(9000)).await;
    assert_eq!((pruned.deliveries, pruned.parked), (1, 1));
}

/// Ids up to `processed_through` count as processed: a new delivery under such an id would wait forever.
async fn with_every_delivery_gone_a_new_one_is_processed_all_the_same(on: Backend) {
    let fixture = Fixture::on(on).await;
    for event in ["e1", "e2", "e3"] {
        fixture
            .accept(delivery(event, "o1", State::InReview, 10))
            .await;
    }
    fixture.process(20).await;
    fixture.prune_all(at(5000)).await;
    assert_eq!(fixture.history("o1").await.deliveries.len(), 0);
    let fixture = fixture.again().await;
    let summary = fixture.store.summary(at(5000)).await.expect("reads");
    assert_eq!(summary.last_delivery_at, None);
    let new = delivery("e4", "o1", State::Completed, 5000);
    assert_eq!(fixture.accept(new.clone()).await, Accepted::New);
    let processed = fixture.process(5001).await.processed;
    assert_eq!(processed.len(), 1);
    assert_eq!(processed[0].dedup_key, "e4");
    assert_eq!(fixture.prune_all(at(5050)).await, []);
    assert_eq!(fixture.body(processed[0].delivery).await, kept(&new));
    assert_eq!(fixture.prune_all(at(5100)).await.len(), 1);
    assert_eq!(fixture.body(processed[0].delivery).await, Body::Gone);
}

async fn large_bodies_make_smaller_steps(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (event, bytes) in [
        ("e1", 600_000),
        ("e2", 400_000),
        ("e3", 3_000_000),
        ("e4", 1),
    ] {
        let mut large = number(event, 10);
        large.body = vec![b'x'; bytes].into();
        fixture.accept(large).await;
    }
    fixture.process(20).await;
    for bodies in [2, 1, 1, 0] {
        assert_eq!(fixture.prune(at(500)).await.bodies, bodies);
    }
}

suite!(
    a_body_stays_to_the_last_microsecond_and_no_longer,
    without_its_body_a_delivery_still_tells_duplicates_from_conflicts,
    what_waits_and_what_is_parked_is_not_touched,
    nothing_goes_before_what_came_before_it,
    small_steps_finish_the_work,
    a_delivery_stays_to_the_last_microsecond_and_a_parked_one_for_longer,
    what_is_old_but_not_processed_stays_whole,
    with_every_delivery_gone_a_new_one_is_processed_all_the_same,
    large_bodies_make_smaller_steps,
);
