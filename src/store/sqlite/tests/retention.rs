//! Retention, where ids are given out again.

use super::*;
use crate::store::tests::closed_orders::DAY;

/// A fetch must not get an id up to `fetches_pruned_through`, even if SQLite gives out ids again.
#[tokio::test]
async fn fetches_recorded_after_all_others_went_are_pruned_too() {
    let fixture = Fixture::new().await;
    fixture.close_order("o1", "e1", 100).await;
    fixture.prune_all(at(3 * DAY)).await;
    assert_eq!(fixture.number("SELECT count(*) FROM fetches").await, 0);
    assert_eq!(
        fixture
            .number("SELECT fetches_pruned_through FROM service")
            .await,
        0
    );
    fixture
        .accept(delivery("e2", "o2", State::InReview, 4 * DAY))
        .await;
    fixture.process(4 * DAY).await;
    for n in 0..12 {
        fixture
            .fetch_shows("o2", State::InReview, 10, 4 * DAY + n)
            .await;
    }
    fixture.prune_all(at(5 * DAY)).await;
    assert_eq!(fixture.history("o2").await.fetches.len(), 10);
}
