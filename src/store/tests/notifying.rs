//! Notifications: what happened is told in its commit; each queue is sent in sequence; nothing is told twice for nothing.

use serde_json::Value;

use super::*;
use notifications::{DeliveryFailure, EventType, Filter, TypePattern};

/// Duration of a lease, in seconds.
const LEASE_SECS: i64 = 60;

/// A target that is told events of the given types.
pub(in crate::store) fn target(name: &str, types: &str, provisional: bool) -> TargetSettings {
    TargetSettings {
        name: name.to_owned(),
        filter: Filter {
            types: vec![TypePattern::new(types).expect("a pattern")],
            provisional,
            ..Filter::default()
        },
    }
}

/// A target that is told confirmed news of orders.
fn crm() -> Vec<TargetSettings> {
    vec![target("crm", "order.*", false)]
}

fn telling(mut settings: Settings, told: Vec<TargetSettings>) -> Settings {
    match &mut settings {
        Settings::Sqlite(settings) => settings.targets = told,
        #[cfg(feature = "postgres")]
        Settings::Postgres(settings) => settings.targets = told,
    }
    settings
}

fn refused(status: u16) -> DeliveryFailure {
    DeliveryFailure::Refused { status }
}

/// A failure after which the notification is sent again at the given second; `None`: its attempts are used up.
fn failed(status: u16, again_at: Option<i64>) -> NotificationOutcome {
    NotificationOutcome::Failed {
        failure: refused(status),
        again_at: again_at.map(at),
    }
}

impl Fixture {
    pub(in crate::store) async fn telling(on: Backend, targets: Vec<TargetSettings>) -> Fixture {
        Fixture::at_place(Place::new(on).await, targets).await
    }

    async fn at_place(place: Place, targets: Vec<TargetSettings>) -> Fixture {
        let settings = telling(place.settings(ONE_PROJECT), targets);
        let (store, run) = super::super::open(settings).await.expect("opens");
        Fixture {
            place,
            store,
            run: tokio::spawn(run),
        }
    }

    /// Makes an order known in a state that Sinch has shown.
    async fn confirm(&self, order: &str, state: State, secs: i64) {
        let event = format!("{order} {state} {secs}");
        self.accept(delivery(&event, order, state, secs)).await;
        self.process(secs).await;
        let known = self.store.request_fetch(key(order), at(secs)).await;
        assert_eq!(known, Ok(true));
        let claims = self.claim(secs).await.into_iter();
        let mut claims = claims.filter(|claim| claim.key == key(order));
        let claim = claims.next().expect("it is due");
        self.record(&claim, shows(state, secs), secs).await;
    }

    async fn claim_for(&self, target: &str, limit: u32, secs: i64) -> NotificationsClaimed {
        let request = NotificationRequest {
            target: target.to_owned(),
            limit,
            rate: None,
            lease: Duration::from_secs(LEASE_SECS as u64),
            now: at(secs),
        };
        let claimed = self.store.claim_notifications(request).await;
        claimed.expect("claims")
    }

    async fn settle(&self, claim: &NotificationClaim, outcome: NotificationOutcome, secs: i64) {
        let result = NotificationResult {
            claim: claim.clone(),
            outcome,
            now: at(secs),
            jitter: 0.0,
        };
        let settled = self.store.settle_notifications([result].into()).await;
        settled.expect("settles");
    }

    /// Types and numbers of the notifications that are due for `crm`, without settling them.
    async fn claimed(&self, secs: i64) -> Vec<(String, i64)> {
        let claimed = self.claim_for("crm", 100, secs).await.claims;
        let claims = claimed.into_iter();
        let mut claims: Vec<_> = claims
            .map(|claim| (claim.event_type, claim.sequence))
            .collect();
        claims.sort();
        claims
    }

    /// Takes the first notification that is due for `crm`.
    async fn next(&self, secs: i64) -> NotificationClaim {
        let mut claims = self.claim_for("crm", 1, secs).await.claims;
        claims.pop().expect("one is due")
    }

    async fn feed(&self, after: i64) -> Vec<Value> {
        let page = self.store.events(Some(after), 1000).await;
        let EventPage::Events { events, .. } = page.expect("reads") else {
            panic!("events are there");
        };
        let bodies = events.into_iter().map(|event| event.body);
        bodies
            .map(|body| serde_json::from_str(&body).expect("JSON"))
            .collect()
    }

    async fn the_target(&self) -> TargetRow {
        let mut targets = self.store.targets().await.expect("reads");
        targets.remove(0)
    }

    /// Phases of all notifications, oldest first, each with its number of attempts.
    async fn phases(&self) -> Vec<(String, u32)> {
        let filter = NotificationFilter {
            limit: 1000,
            ..NotificationFilter::default()
        };
        let page = self.store.notifications(&filter).await.expect("reads");
        let rows = page.items.into_iter();
        rows.map(|row| (row.phase, row.attempts)).collect()
    }
}

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

async fn a_queue_goes_on_when_its_first_notification_is_delivered(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture.confirm("o1", State::InReview, 40).await;
    let first = fixture.next(50).await;
    assert_eq!((first.sequence, first.attempts), (2, 0));
    let none = fixture.claim_for("crm", 100, 50).await;
    assert!(none.claims.is_empty());
    assert_eq!(none.next_at, Some(at(50 + LEASE_SECS)));
    fixture
        .settle(&first, NotificationOutcome::Delivered, 51)
        .await;
    let second = fixture.next(51).await;
    assert_eq!((second.sequence, second.attempts), (4, 0));
    fixture
        .settle(&second, NotificationOutcome::Delivered, 52)
        .await;
    let end = fixture.claim_for("crm", 100, 1000).await;
    assert!(end.claims.is_empty() && end.next_at.is_none());
    let delivered = ("delivered".to_owned(), 1);
    assert_eq!(fixture.phases().await, [delivered.clone(), delivered]);
    let queues = fixture.number("SELECT count(*) FROM notification_queues");
    assert_eq!(queues.await, 0);
}

async fn a_notification_is_sent_again_when_it_failed_with_the_same_id_and_bytes(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let first = fixture.next(20).await;
    fixture.settle(&first, failed(500, Some(90)), 21).await;
    assert!(fixture.claim_for("crm", 9, 89).await.claims.is_empty());
    let again = fixture.next(90).await;
    assert_eq!(again.attempts, 1);
    assert_eq!(
        (&again.event_id, &again.body),
        (&first.event_id, &first.body)
    );
    // Its attempts are used up.
    fixture.settle(&again, failed(500, None), 91).await;
    assert_eq!(fixture.phases().await, [("parked".to_owned(), 2)]);
    let target = fixture.the_target().await;
    assert_eq!((target.waiting, target.parked), (0, 1));
    assert_eq!(target.failure, Some(refused(500)));
    let filter = NotificationFilter {
        target: Some("crm".to_owned()),
        phase: Some("parked"),
        ..NotificationFilter::default()
    };
    let count = fixture.store.count_notifications(&filter).await;
    assert_eq!(count, Ok(1));
    assert_eq!(
        fixture.phases().await,
        [("parked".to_owned(), 2)],
        "a dry run"
    );
    assert_eq!(fixture.store.redrive(filter, at(100)).await, Ok(1));
    let redriven = fixture.next(100).await;
    assert_eq!(redriven.attempts, 0);
    assert_eq!(
        (redriven.event_id, redriven.body),
        (first.event_id, first.body)
    );
}

async fn a_result_that_comes_after_its_lease_changes_nothing(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let late = fixture.next(20).await;
    let other = fixture.next(20 + LEASE_SECS).await;
    assert_eq!(other.event_id, late.event_id);
    fixture
        .settle(&late, NotificationOutcome::Delivered, 81)
        .await;
    assert_eq!(fixture.phases().await, [("waiting".to_owned(), 0)]);
    fixture
        .settle(&other, NotificationOutcome::Delivered, 82)
        .await;
    assert_eq!(fixture.phases().await, [("delivered".to_owned(), 1)]);
}

async fn what_is_not_sent_is_due_again_and_counts_no_attempt(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let first = fixture.next(20).await;
    fixture.settle(&first, failed(500, Some(30)), 21).await;
    let second = fixture.next(30).await;
    fixture
        .settle(&second, NotificationOutcome::Unsent, 31)
        .await;
    assert_eq!(fixture.phases().await, [("waiting".to_owned(), 1)]);
    assert_eq!(fixture.the_target().await.failure, Some(refused(500)));
    let again = fixture.next(31).await;
    assert_eq!((again.attempts, again.event_id), (1, first.event_id));
}

async fn a_target_that_fails_is_probed_with_one_notification_at_a_time(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    for order in ["o1", "o2", "o3", "o4", "o5", "o6", "o7"] {
        fixture.confirm(order, State::Created, 10).await;
    }
    let claims = fixture.claim_for("crm", 5, 20).await.claims;
    assert_eq!(claims.len(), 5);
    for claim in &claims {
        fixture.settle(claim, failed(503, Some(30)), 21).await;
    }
    let target = fixture.the_target().await;
    assert_eq!((target.failures, target.failing_since), (5, Some(at(21))));
    assert_eq!(target.paused_until, Some(at(36)));
    let paused = fixture.claim_for("crm", 9, 35).await;
    assert!(paused.claims.is_empty());
    assert_eq!(paused.next_at, Some(at(36)));
    let probe = fixture.claim_for("crm", 9, 36).await.claims;
    assert_eq!(probe.len(), 1);
    assert!(fixture.claim_for("crm", 9, 37).await.claims.is_empty());
    fixture
        .settle(&probe[0], NotificationOutcome::Delivered, 38)
        .await;
    assert_eq!(fixture.the_target().await.failures, 0);
    assert_eq!(fixture.claim_for("crm", 9, 39).await.claims.len(), 6);
}

async fn a_target_that_wants_no_more_is_left_alone_until_it_is_resumed(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let gone = NotificationOutcome::Gone {
        failure: refused(410),
    };
    let claim = fixture.next(20).await;
    fixture.settle(&claim, gone, 21).await;
    let off = fixture.claim_for("crm", 9, 9999).await;
    assert!(off.claims.is_empty() && off.next_at.is_none());
    assert_eq!(fixture.the_target().await.switched_off_at, Some(at(21)));
    let unknown = fixture
        .store
        .resume_target("other".to_owned(), at(30))
        .await;
    assert_eq!(unknown, Ok(false));
    fixture.confirm("o2", State::Created, 25).await;
    let known = fixture.store.resume_target("crm".to_owned(), at(30)).await;
    assert_eq!(known, Ok(true));
    assert_eq!(fixture.next(30).await.event_id, claim.event_id);
    // One that would be sent again much later is due, too.
    let other = fixture.next(30).await;
    fixture.settle(&other, failed(500, Some(9000)), 31).await;
    let known = fixture.store.resume_target("crm".to_owned(), at(40)).await;
    assert_eq!(known, Ok(true));
    assert_eq!(fixture.next(40).await.event_id, other.event_id);
}

async fn a_rate_is_kept(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    for order in ["o1", "o2", "o3"] {
        fixture.confirm(order, State::Created, 10).await;
    }
    let request = |secs| NotificationRequest {
        target: "crm".to_owned(),
        limit: 9,
        rate: Some(Rate::per_second(1.0)),
        lease: Duration::from_secs(LEASE_SECS as u64),
        now: at(secs),
    };
    for (secs, claims) in [(20, 1), (20, 0), (21, 1), (22, 1), (23, 0)] {
        let claimed = fixture.store.claim_notifications(request(secs)).await;
        let claimed = claimed.expect("claims");
        assert_eq!(claimed.claims.len(), claims, "at {secs}");
        // While the rate allows none, it says when it does.
        let next = (secs < 22).then(|| at(secs + 1));
        assert_eq!(claimed.next_at.filter(|_| secs < 22), next, "at {secs}");
    }
}

async fn a_restart_sends_again_what_was_under_way_and_forgets_no_target(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let under_way = fixture.next(20).await;
    let Fixture { place, store, run } = fixture;
    drop(store);
    run.await.expect("no panic").expect("a clean end");
    let fixture = Fixture::at_place(place, Vec::new()).await;
    // The target is not configured: nothing is sent, and nothing more is kept for it.
    assert!(fixture.claim_for("crm", 9, 9999).await.claims.is_empty());
    fixture.confirm("o2", State::Created, 30).await;
    let Fixture { place, store, run } = fixture;
    drop(store);
    run.await.expect("no panic").expect("a clean end");
    let fixture = Fixture::at_place(place, crm()).await;
    let claims = fixture.claim_for("crm", 9, 20 + LEASE_SECS).await.claims;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].body, under_way.body);
    assert_eq!(fixture.feed(0).await.len(), 4, "the feed has all");
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
        events: days(1),
        orders: days(1000),
    };
    let pruned = fixture.store.prune(periods, at(90_000)).await;
    // Those that wait are kept: 4 of o1, and 6 of o2, which are also the newest of their orders.
    assert_eq!(pruned.expect("prunes").events, 4);
    let pruned = fixture.store.events(Some(0), 10).await;
    assert_eq!(pruned, Ok(EventPage::Pruned { after: 6 }));
    assert_eq!(fixture.feed(6).await.len(), 0);
    let ahead = fixture.store.events(Some(7), 10).await;
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
    a_queue_goes_on_when_its_first_notification_is_delivered,
    a_notification_is_sent_again_when_it_failed_with_the_same_id_and_bytes,
    a_result_that_comes_after_its_lease_changes_nothing,
    what_is_not_sent_is_due_again_and_counts_no_attempt,
    a_target_that_fails_is_probed_with_one_notification_at_a_time,
    a_target_that_wants_no_more_is_left_alone_until_it_is_resumed,
    a_rate_is_kept,
    a_restart_sends_again_what_was_under_way_and_forgets_no_target,
    a_test_is_sent_to_its_target_alone,
    alerts_are_told_when_they_fire_and_when_they_are_resolved,
    old_events_are_pruned_but_what_is_still_to_be_told,
);
