//! Sending: each queue is sent in sequence, and nothing is told twice for nothing.

use super::*;
use crate::store::tests::suite;

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

/// Who adds a notification and who finds the queue empty meet, again and again.
async fn no_notification_waits_without_a_queue(on: Backend) {
    let fixture = Fixture::telling(on, vec![target("crm", "order.*", true)]).await;
    for n in 0..60 {
        let secs = 10 + n;
        let state = [State::InReview, State::Blocked][(n % 2) as usize];
        let claimed = fixture.claim_for("crm", 9, secs).await.claims;
        let event = delivery(&format!("e{n}"), "o1", state, secs);
        fixture.accept(event).await;
        let settling = async {
            for claim in &claimed {
                let done = NotificationOutcome::Delivered;
                fixture.settle(claim, done, secs).await;
            }
        };
        let (report, ()) = tokio::join!(fixture.process(secs), settling);
        assert_eq!(report.processed.len(), 1);
        let stranded = fixture.number(
            "SELECT count(*) FROM notifications AS n WHERE n.phase = 'waiting' AND NOT EXISTS \
             (SELECT 1 FROM notification_queues AS q WHERE q.target = n.target AND q.subject = n.subject)",
        );
        assert_eq!(stranded.await, 0, "round {n}");
    }
    assert_eq!(fixture.phases().await.len(), 60);
}

async fn what_is_redriven_is_sent_again_once_however_much_it_is(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let first = fixture.next(20).await;
    fixture
        .settle(&first, NotificationOutcome::Delivered, 21)
        .await;
    let copies = "INSERT INTO events (sequence, id, type, recorded_at, provisional, test, body) \
                  SELECT v.n, 'evt', 'order.created', 5, FALSE, FALSE, '{}' FROM (WITH RECURSIVE r (n) AS \
                  (SELECT 100 UNION ALL SELECT n + 1 FROM r WHERE n < 1299) SELECT n FROM r) AS v; \
                  INSERT INTO notifications (target, event, subject, phase, attempts, attempted_at) \
                  SELECT 1, sequence, sequence, 'parked', 1, 5 FROM events WHERE sequence >= 100";
    fixture
        .edit(&copies.replace("FALSE", fixture.pick("0", "false")))
        .await;
    let filter = NotificationFilter {
        target: Some("crm".to_owned()),
        ..NotificationFilter::default()
    };
    let count = fixture.store.count_notifications(&filter).await;
    assert_eq!(count, Ok(1201));
    assert_eq!(
        fixture.store.redrive(filter.clone(), at(30)).await,
        Ok(1201)
    );
    assert_eq!(fixture.store.redrive(filter, at(30)).await, Ok(0));
    let claimed = fixture.claim_for("crm", 2000, 30).await.claims;
    assert_eq!(claimed.len(), 1201);
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

async fn a_notification_that_cannot_be_read_is_left_out_of_the_list(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture.confirm("o2", State::Created, 10).await;
    // A failure of this code has fields.
    let spoilt = "UPDATE notifications SET failure = 'refused', attempts = 1 \
                  WHERE id = (SELECT min(id) FROM notifications)";
    fixture.spoil(spoilt).await;
    let filter = NotificationFilter {
        limit: 9,
        ..NotificationFilter::default()
    };
    let page = fixture.store.notifications(&filter).await.expect("reads");
    let orders = page.items.iter().map(|row| row.order.as_deref());
    assert_eq!(orders.collect::<Vec<_>>(), [Some("o2")]);
    assert_eq!(page.unreadable.len(), 1);
    assert_eq!(page.unreadable[0].table, "notifications");
    assert_eq!(fixture.summary(22).await.rows_unreadable.len(), 1);
}

suite!(
    a_notification_that_cannot_be_read_is_left_out_of_the_list,
    a_queue_goes_on_when_its_first_notification_is_delivered,
    a_notification_is_sent_again_when_it_failed_with_the_same_id_and_bytes,
    a_result_that_comes_after_its_lease_changes_nothing,
    what_is_not_sent_is_due_again_and_counts_no_attempt,
    a_target_that_fails_is_probed_with_one_notification_at_a_time,
    a_target_that_wants_no_more_is_left_alone_until_it_is_resumed,
    no_notification_waits_without_a_queue,
    what_is_redriven_is_sent_again_once_however_much_it_is,
    a_rate_is_kept,
    a_restart_sends_again_what_was_under_way_and_forgets_no_target,
);
