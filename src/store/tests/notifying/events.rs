//! Events: what happened is told in its commit, to whom it may concern, and kept for its time.

use super::*;
use crate::store::tests::suite;

async fn what_happens_to_an_order_is_told_in_sequence(on: Backend) {
    let all = target("all", "order.*", true);
    let fixture = Fixture::telling(on, [crm(), vec![all]].concat()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture.confirm("o2", State::Created, 11).await;
    fixture.confirm("o1", State::InReview, 40).await;
    let told: Vec<_> = fixture
        .feed(0)
        .await
        .iter()
        .map(|event| {
            let data = &event["data"];
            (
                event["sequence"].as_i64().expect("a number"),
                event["type"].as_str().expect("a type").to_owned(),
                data["order"].as_str().expect("an order").to_owned(),
                data["order_sequence"].as_i64().expect("a number"),
                data["confirmed"].as_bool().expect("a truth"),
            )
        })
        .collect();
    let event = |sequence, kind: &str, order: &str, of_order, confirmed| {
        (
            sequence,
            kind.to_owned(),
            order.to_owned(),
            of_order,
            confirmed,
        )
    };
    assert_eq!(
        told,
        [
            event(1, "order.created", "o1", 1, false),
            event(2, "order.created", "o1", 2, true),
            event(3, "order.created", "o2", 1, false),
            event(4, "order.created", "o2", 2, true),
            event(5, "order.in_review", "o1", 3, false),
            event(6, "order.in_review", "o1", 4, true),
        ]
    );
    let last = fixture.feed(5).await.remove(0);
    assert_eq!(last["data"]["previous_state"], "CREATED");
    assert_eq!(last["data"]["cause"], "answer");
    // One target is told confirmed news, the other all; of each order the first that waits.
    let created = |sequence| ("order.created".to_owned(), sequence);
    assert_eq!(fixture.claimed(50).await, [created(2), created(4)]);
    let all = fixture.claim_for("all", 100, 50).await.claims;
    let mut sequences: Vec<i64> = all.iter().map(|claim| claim.sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 3]);
    let history = fixture.history("o1").await.notifications;
    assert_eq!(history.len(), 2 + 4);
    assert_eq!(history[0].order.as_deref(), Some("o1"));
}

/// The control of the commit: where the database refuses the events, it has not the changes either.
async fn what_cannot_be_told_does_not_happen(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture
        .refuse("INSERT ON events", "NEW.provisional = NEW.provisional")
        .await;
    let moved = delivery("later", "o1", State::InReview, 40);
    fixture.accept(moved).await;
    fixture.process(41).await;
    let history = fixture.history("o1").await;
    assert_eq!(history.order.state, Some("CREATED"));
    assert_eq!(history.transitions.len(), 2);
    assert_eq!(fixture.feed(0).await.len(), 2);
    let parked = history
        .deliveries
        .iter()
        .filter(|row| row.phase == "parked");
    assert_eq!(parked.count(), 1, "an operator sees it");
}

async fn a_test_is_sent_to_its_target_alone(on: Backend) {
    let both = vec![
        target("crm", "order.*", false),
        target("other", "order.*", false),
    ];
    let fixture = Fixture::telling(on, both).await;
    let test = |name: &str| TestEvent {
        target: name.to_owned(),
        event_type: EventType::NumberReady,
        now: at(10),
    };
    let sent = fixture.store.send_test(test("crm")).await;
    assert_eq!(sent, Ok(Some(1)));
    assert_eq!(fixture.store.send_test(test("nobody")).await, Ok(None));
    let claim = fixture.next(11).await;
    let body: Value = serde_json::from_str(&claim.body).expect("JSON");
    assert_eq!(body["test"], true);
    assert_eq!(body["type"], "number.ready");
    assert_eq!(body["id"], claim.event_id);
    assert!(fixture.claim_for("other", 9, 11).await.claims.is_empty());
    assert!(fixture.feed(0).await.is_empty());
}

async fn alerts_are_told_when_they_fire_and_when_they_are_resolved(on: Backend) {
    let fixture = Fixture::telling(on, vec![target("crm", "alert.*", false)]).await;
    let limits = Limits {
        expiring: vec![Duration::from_secs(500)],
        review: Duration::from_secs(500),
        blocked: Duration::from_secs(100),
    };
    fixture.confirm("o1", State::Created, 10).await;
    fixture.record_alerts(&limits, 8600).await;
    fixture.record_alerts(&limits, 8610).await;
    fixture.confirm("o1", State::InReview, 8620).await;
    fixture.record_alerts(&limits, 8630).await;
    let types: Vec<String> = fixture
        .feed(2)
        .await
        .iter()
        .filter_map(|event| event["type"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        types,
        [
            "order.expiring",
            "alert.fired",
            "order.in_review",
            "order.in_review",
            "alert.resolved"
        ]
    );
    let fired = fixture.next(9000).await;
    let body: Value = serde_json::from_str(&fired.body).expect("JSON");
    assert_eq!(body["data"]["alert"]["code"], "expiring");
    assert_eq!(body["data"]["order"], "o1");
}

async fn old_events_are_pruned_but_what_is_still_to_be_told(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture.confirm("o1", State::InReview, 40).await;
    fixture.confirm("o2", State::Created, 50).await;
    let first = fixture.next(60).await;
    fixture
        .settle(&first, NotificationOutcome::Delivered, 61)
        .await;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let periods = RetentionPeriods {
        bodies: days(1000),
        deliveries: days(1000),
        parked: days(1000),
        quarantine: days(1000),
        events: days(1),
        orders: days(1000),
    };
    let pruned = fixture.store.prune(periods, at(90_000)).await;
    // Those that wait are kept: 4 of o1, and 6 of o2, which are also the newest of their orders.
    assert_eq!(pruned.expect("prunes").events, 4);
    let pruned = fixture.store.events(&all_after(0)).await;
    assert_eq!(pruned, Ok(EventPage::Pruned { after: 6 }));
    assert_eq!(fixture.feed(6).await.len(), 0);
    let ahead = fixture.store.events(&all_after(7)).await;
    assert_eq!(ahead, Ok(EventPage::Ahead { newest: 6 }));
    let mut waiting = fixture.claimed(90_000).await;
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting.remove(0).1, 6);
    // Numbers go on where they were.
    fixture.confirm("o1", State::Completed, 90_001).await;
    let last = fixture.feed(6).await.remove(1);
    assert_eq!(last["sequence"], 8);
    assert_eq!(last["data"]["order_sequence"], 6);
}

suite!(
    what_happens_to_an_order_is_told_in_sequence,
    what_cannot_be_told_does_not_happen,
    a_test_is_sent_to_its_target_alone,
    alerts_are_told_when_they_fire_and_when_they_are_resolved,
    old_events_are_pruned_but_what_is_still_to_be_told,
);
