//! Processing of pending deliveries that were read beside the writer, and slow answers beside it.

use super::*;
use crate::store::Holdings;
use crate::store::sqlite::readers::READERS_MAX;

/// Pending deliveries are read before the writer's turn, so two runs may hold the same ones.
#[tokio::test]
async fn the_same_deliveries_are_processed_once() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let [first, second] = [fixture.made_step(20).await, fixture.made_step(20).await];
    fixture
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    assert_eq!(fixture.write_step(first).await.processed.len(), 1);
    assert_eq!(fixture.write_step(second).await.processed.len(), 0);
    assert_eq!(
        fixture.process(21).await.processed.len(),
        1,
        "what came since is left"
    );
    assert_eq!(fixture.history("o1").await.transitions.len(), 2);
}

/// A conflict is inserted after deliveries that came later in its batch: the inbox worker may read between the two.
#[tokio::test]
async fn a_delivery_that_comes_among_those_that_were_read_is_not_passed_over() {
    let fixture = Fixture::new().await;
    let event = |event, secs| delivery(event, "o1", State::InReview, secs);
    fixture.accept(event("e1", 10)).await;
    // The duplicate uses up an id.
    assert_eq!(fixture.accept(event("e1", 10)).await, Accepted::Duplicate);
    fixture.accept(event("e2", 11)).await;
    let step = fixture.made_step(20).await;
    assert_eq!(step.pending.taken, 2);
    fixture
        .edit(
            "INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, phase, body) \
             SELECT 2, project, 'late', received_at, order_sinch_id, status, phase, body \
             FROM deliveries WHERE id = 1",
        )
        .await;
    assert_eq!(fixture.write_step(step).await.processed.len(), 0);
    assert_eq!(fixture.process(21).await.processed.len(), 3);
}

/// Pending deliveries that were read may be removed before they are processed.
#[tokio::test]
async fn a_project_can_be_dropped_during_processing() {
    let fixture = Fixture::with(
        Backend::Sqlite,
        &[("project-0", Some(5.0)), (PROJECT, Some(5.0))],
    )
    .await;
    fixture
        .accept(NewDelivery {
            callback_key: None,
            project: id("project-0"),
            ..delivery("e1", "old", State::InReview, 10)
        })
        .await;
    fixture
        .accept(delivery("e2", "o1", State::InReview, 10))
        .await;
    let step = fixture.made_step(20).await;
    while fixture
        .store
        .drop_some(id("project-0"))
        .await
        .expect("drops")
        != Holdings::default()
    {}
    let report = fixture.write_step(step).await;
    assert_eq!(report.processed.len(), 0, "they have changed");
    assert_eq!(fixture.process(21).await.processed.len(), 1);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 1);
}

#[tokio::test]
async fn answers_that_take_long_do_not_delay_processing() {
    let fixture = Fixture::new().await;
    let mut fetches = Vec::new();
    for _ in 0..READERS_MAX {
        fetches.push(fixture.begin_read().await);
    }
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    assert_eq!(fixture.process(20).await.processed.len(), 1);
    drop(fetches);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 1);
}
