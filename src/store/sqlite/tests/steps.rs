//! Steps of the inbox that are made beside the writer.

use fastrand::Rng;

use super::*;
use crate::store::sqlite::step::Step;
use crate::store::tests::notifying::target;

const ORDERS: [&str; 4] = ["o1", "o2", "o3", "o4"];

/// Selects all that a step writes, but the random ids of events.
const WRITTEN: [&str; 8] = [
    "SELECT json_array(id, sinch_id, first_seen_at, heard_at, fetch_at, attempts, parked, state, provisional_state,
        provisional_at, hints, hinted_at, doubts, priority, unsettled_at, lease, fetched_at) FROM orders ORDER BY id",
    "SELECT json_array(id, order_id, phase, decision, decision_fields, processed_at) FROM deliveries ORDER BY id",
    "SELECT json_array(id, order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields)
        FROM transitions ORDER BY id",
    "SELECT json_array(sequence, type, recorded_at, order_id, order_sequence, provisional, json_remove(body, '$.id'))
        FROM events ORDER BY sequence",
    "SELECT json_array(target, event, subject, phase) FROM notifications ORDER BY target, event",
    "SELECT json_array(target, subject, due_at) FROM notification_queues ORDER BY target, subject",
    "SELECT json_array(project, state, orders) FROM state_counts ORDER BY project, state",
    "SELECT json_array(processed_through) FROM service",
];

impl Fixture {
    /// Makes a step of what is pending, which is not written yet.
    pub(super) async fn made_step(&self, secs: i64) -> Step {
        let store = self.sqlite();
        let made = step::make(
            &store.readers,
            &store.revision,
            &store.targets,
            request(secs),
        );
        made.await.expect("reads")
    }

    /// Writes a step.
    pub(super) async fn write_step(&self, step: Step) -> ProcessReport {
        let written = self.sqlite().submit(Write::Process, step);
        written.await.expect("writes")
    }

    async fn written(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in WRITTEN {
            all.extend(self.place.texts(sql).await);
        }
        all
    }
}

/// A store with a target that is told everything.
async fn telling_all() -> Fixture {
    Fixture::telling(Backend::Sqlite, vec![target("crm", "order.*", true)]).await
}

#[tokio::test]
async fn a_step_writes_the_same_whoever_makes_it() {
    let seed = fastrand::u64(..);
    println!("SEED={seed}");
    let mut chance = Rng::with_seed(seed);
    let (beside, inside) = (telling_all().await, telling_all().await);
    let mut events = 0..;
    for round in 1..30 {
        let secs = 100 * round;
        for _ in 0..chance.i64(1..6) {
            let state = State::ALL[chance.usize(..State::ALL.len())];
            let order = ORDERS[chance.usize(..ORDERS.len())];
            let mut told = delivery(
                &format!("e{}", events.next().unwrap_or(0)),
                order,
                state,
                secs - chance.i64(0..300),
            );
            told.received_at = at(secs);
            beside.accept(told.clone()).await;
            inside.accept(told).await;
        }
        let mut written = Vec::new();
        for (fixture, makes) in [(&beside, true), (&inside, false)] {
            let mut step = fixture.made_step(secs).await;
            assert!(step.made.is_some(), "round {round}");
            step.made = step.made.filter(|_| makes);
            let report = fixture.write_step(step).await;
            written.push((format!("{:?}", report.processed), fixture.written().await));
        }
        assert_eq!(written[0], written[1], "round {round}");
        // Now and then an answer changes the orders of both.
        if chance.bool() {
            let shown = shows(State::ALL[chance.usize(..State::ALL.len())], secs);
            for fixture in [&beside, &inside] {
                for claim in fixture.claim(secs + 50).await {
                    fixture.record(&claim, shown.clone(), secs + 50).await;
                }
            }
        }
    }
}

/// An answer that comes between changes what the step goes by: the step is made anew.
#[tokio::test]
async fn a_step_is_made_anew_if_an_order_has_changed_since() {
    let fixture = telling_all().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let claims = fixture.claim(30).await;
    fixture
        .accept(delivery("e2", "o1", State::Blocked, 25))
        .await;
    let step = fixture.made_step(40).await;
    assert!(step.made.is_some());
    fixture
        .record(&claims[0], shows(State::Completed, 35), 40)
        .await;
    assert_eq!(fixture.write_step(step).await.processed.len(), 1);
    let order = fixture.history("o1").await.order;
    assert_eq!(order.confirmed, Some("COMPLETED"));
    assert_eq!(
        order.provisional, None,
        "the older event moves nothing back"
    );
    let orders = fixture.place.texts(WRITTEN[3]).await;
    let last = orders.last().expect("an event");
    assert!(last.contains("order.completed"), "{orders:?}");
}

/// A claim, too, which adds no event whose number the step has taken.
#[tokio::test]
async fn a_step_keeps_the_claim_that_came_before_it() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    fixture
        .accept(delivery("e2", "o1", State::InReview, 25))
        .await;
    let step = fixture.made_step(40).await;
    assert!(step.made.is_some());
    assert_eq!(fixture.claim(40).await.len(), 1);
    assert_eq!(fixture.write_step(step).await.processed.len(), 1);
    assert_eq!(fixture.number("SELECT attempts FROM orders").await, 1);
}

/// Two orders that become known are not given the same row, though both steps were made before.
#[tokio::test]
async fn an_order_that_became_known_since_keeps_its_row() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let step = fixture.made_step(20).await;
    let watch = WatchRequest {
        project: id(PROJECT),
        orders: vec![id("o2"), id("o1")],
        now: at(20),
    };
    fixture.store.watch(watch).await.expect("writes");
    assert_eq!(fixture.write_step(step).await.processed.len(), 1);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 1);
    assert_eq!(fixture.history("o2").await.deliveries.len(), 0);
    assert_eq!(fixture.number("SELECT count(*) FROM orders").await, 2);
}

/// What an order's row refuses is parked, as where the writer makes the step, and holds up no other order.
#[tokio::test]
async fn an_order_that_is_refused_holds_up_no_other() {
    let fixture = Fixture::new().await;
    for (event, order) in [("e1", "bad"), ("e2", "good")] {
        fixture
            .accept(delivery(event, order, State::InReview, 10))
            .await;
    }
    fixture
        .edit(
            "CREATE TRIGGER refuses BEFORE UPDATE ON orders WHEN NEW.sinch_id = 'bad' \
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .await;
    let step = fixture.made_step(20).await;
    assert!(step.made.is_some());
    let report = fixture.write_step(step).await;
    let parked: Vec<bool> = report.processed.iter().map(|one| one.parked).collect();
    assert_eq!(
        parked.iter().filter(|parked| **parked).count(),
        1,
        "{report:?}"
    );
    assert_eq!(fixture.history("good").await.deliveries.len(), 1);
}
