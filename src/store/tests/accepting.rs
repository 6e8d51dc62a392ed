//! Acceptance of deliveries.

use super::*;
use number_order::{NotUnderstood, OtherEvent};

async fn an_event_is_stored_once_and_its_duplicates_are_counted(on: Backend) {
    let fixture = Fixture::on(on).await;
    let first = delivery("e1", "o1", State::InReview, 10);
    assert_eq!(fixture.accept(first.clone()).await, Accepted::New);
    assert_eq!(fixture.accept(first.clone()).await, Accepted::Duplicate);
    let mut other = first.clone();
    other.body = "another body".into();
    assert_eq!(fixture.accept(other.clone()).await, Accepted::Conflict);
    assert_eq!(fixture.accept(other).await, Accepted::Duplicate);
    fixture.process(20).await;
    let history = fixture.history("o1").await;
    let duplicates: Vec<i64> = history.deliveries.iter().map(|d| d.duplicates).collect();
    assert_eq!(duplicates, [1, 1], "two bodies, each came twice");
}

async fn without_an_event_id_the_body_tells_a_duplicate(on: Backend) {
    let fixture = Fixture::on(on).await;
    let mut nameless = delivery("-", "o1", State::InReview, 10);
    nameless.event_id = None;
    assert_eq!(fixture.accept(nameless.clone()).await, Accepted::New);
    assert_eq!(fixture.accept(nameless.clone()).await, Accepted::Duplicate);
    nameless.body = "another body".into();
    assert_eq!(fixture.accept(nameless).await, Accepted::New);
}

async fn batches_of_every_size_keep_every_row_apart(on: Backend) {
    let fixture = Fixture::on(on).await;
    let mut expected = 0;
    for size in [1, 2, 3, 7, 64, 300] {
        let calls: Vec<_> = (0..size)
            .map(|n| {
                let store = fixture.store.clone();
                // Every third delivery is a duplicate within its batch.
                let event = format!("e{size}-{}", n - n % 3 / 2);
                let order = format!("o{}", n % 5);
                tokio::spawn(async move {
                    store
                        .accept(delivery(&event, &order, State::Blocked, n))
                        .await
                })
            })
            .collect();
        let mut new = 0;
        for call in calls {
            match call.await.expect("no panic").expect("is taken") {
                Accepted::New | Accepted::Conflict => new += 1,
                Accepted::Duplicate => {}
            }
        }
        expected += new;
        let summary = fixture.store.summary(at(0)).await.expect("reads");
        assert_eq!(summary.deliveries_waiting, expected, "after {size}");
    }
}

async fn one_bad_write_does_not_spoil_its_batch(on: Backend) {
    let fixture = Fixture::on(on).await;
    let mut foreign = delivery("e0", "o1", State::Blocked, 1);
    foreign.project = id("nobodys");
    let (bad, good) = tokio::join!(
        fixture.store.accept(foreign),
        fixture
            .store
            .accept(delivery("e1", "o1", State::Blocked, 1)),
    );
    assert!(matches!(bad, Err(StoreError::Rejected(_))), "{bad:?}");
    assert_eq!(good, Ok(Accepted::New));
}

async fn what_is_no_order_is_kept_and_touches_none(on: Backend) {
    let fixture = Fixture::on(on).await;
    let mut other = delivery("e1", "o1", State::Blocked, 1);
    other.subject = DeliveryContent::Other(OtherEvent::default());
    fixture.accept(other).await;
    let mut unreadable = delivery("e2", "o1", State::Blocked, 1);
    unreadable.subject = DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject);
    unreadable.body = bytes::Bytes::from_static(b"\xff\x00");
    fixture.accept(unreadable).await;
    assert_eq!(fixture.process(2).await.processed.len(), 0);
    assert_eq!(
        fixture.process(2).await.taken,
        0,
        "not read again and again"
    );
    let parked = fixture
        .store
        .deliveries(&parked_only(10))
        .await
        .expect("reads")
        .items;
    assert_eq!(parked.len(), 1);
    assert_eq!(
        parked[0]
            .delivery
            .decision
            .as_ref()
            .expect("a decision")
            .code(),
        "body-not-an-object"
    );
    let body = fixture
        .store
        .body(parked[0].delivery.id)
        .await
        .expect("reads");
    assert_eq!(body, Some(Body::Kept(b"\xff\x00".to_vec())));
}

suite!(
    an_event_is_stored_once_and_its_duplicates_are_counted,
    without_an_event_id_the_body_tells_a_duplicate,
    batches_of_every_size_keep_every_row_apart,
    one_bad_write_does_not_spoil_its_batch,
    what_is_no_order_is_kept_and_touches_none,
);
