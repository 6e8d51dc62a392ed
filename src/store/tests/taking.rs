//! Taking deliveries in.

use super::*;

#[tokio::test]
async fn an_event_is_taken_once_and_counted_again() {
    let house = House::new().await;
    let first = delivery("e1", "o1", State::InReview, 10);
    assert_eq!(house.accept(first.clone()).await, Accepted::New);
    assert_eq!(house.accept(first.clone()).await, Accepted::Repeat);
    let mut other = first.clone();
    other.body = "another body".into();
    assert_eq!(house.accept(other.clone()).await, Accepted::Conflict);
    assert_eq!(house.accept(other).await, Accepted::Repeat);
    house.look(20).await;
    let history = house.history("o1").await;
    let repeats: Vec<i64> = history.deliveries.iter().map(|d| d.repeats).collect();
    assert_eq!(repeats, [1, 1], "two bodies, each came twice");
}

#[tokio::test]
async fn without_an_event_id_the_body_tells_a_repetition() {
    let house = House::new().await;
    let mut nameless = delivery("-", "o1", State::InReview, 10);
    nameless.event_id = None;
    assert_eq!(house.accept(nameless.clone()).await, Accepted::New);
    assert_eq!(house.accept(nameless.clone()).await, Accepted::Repeat);
    nameless.body = "another body".into();
    assert_eq!(house.accept(nameless).await, Accepted::New);
}

#[tokio::test]
async fn batches_of_every_size_keep_every_row_apart() {
    let house = House::new().await;
    let mut expected = 0;
    for size in [1, 2, 3, 7, 64, 300] {
        let calls: Vec<_> = (0..size)
            .map(|n| {
                let store = house.store.clone();
                // Every third is a repetition within its batch.
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
                Accepted::Repeat => {}
            }
        }
        expected += new;
        let summary = house.store.summary(at(0)).await.expect("reads");
        assert_eq!(summary.deliveries_waiting, expected, "after {size}");
    }
}

#[tokio::test]
async fn one_bad_write_does_not_spoil_its_batch() {
    let house = House::new().await;
    let mut foreign = delivery("e0", "o1", State::Blocked, 1);
    foreign.project = id("nobodys");
    let (bad, good) = tokio::join!(
        house.store.accept(foreign),
        house.store.accept(delivery("e1", "o1", State::Blocked, 1)),
    );
    assert!(matches!(bad, Err(StoreError::Rejected(_))), "{bad:?}");
    assert_eq!(good, Ok(Accepted::New));
}

#[tokio::test]
async fn what_is_no_order_is_kept_and_touches_none() {
    let house = House::new().await;
    let mut other = delivery("e1", "o1", State::Blocked, 1);
    other.subject = Subject::Other("about ACTIVE_NUMBER".to_owned());
    house.accept(other).await;
    let mut unreadable = delivery("e2", "o1", State::Blocked, 1);
    unreadable.subject = Subject::NotUnderstood("no JSON".to_owned());
    unreadable.body = bytes::Bytes::from_static(b"\xff\x00");
    house.accept(unreadable).await;
    assert_eq!(house.look(2).await.looked.len(), 0);
    assert_eq!(house.look(2).await.taken, 0, "not read again and again");
    let parked = house.store.parked(0, 10).await.expect("reads");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].reason, "no JSON");
    let body = house.store.body(parked[0].id).await.expect("reads");
    assert_eq!(body, Some(Body::Kept(b"\xff\x00".to_vec())));
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_noticed() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    std::fs::rename(house.path(), house.folder.path().join("elsewhere.db")).expect("moves");
    let answer = house
        .store
        .accept(delivery("e2", "o1", State::InReview, 10))
        .await;
    assert!(matches!(answer, Err(StoreError::Broken(_))), "{answer:?}");
    let end = house.writer.await.expect("no panic");
    assert!(matches!(end, Err(StoreError::Broken(_))), "{end:?}");
}
