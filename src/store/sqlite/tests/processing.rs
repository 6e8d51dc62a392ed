//! Processing of pending deliveries.

use super::*;

#[tokio::test]
async fn processing_settles_all_that_waits_once() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    fixture
        .accept(delivery("e3", "o2", State::Rejected, 12))
        .await;
    let report = fixture.process(20).await;
    assert_eq!((report.taken, report.processed.len()), (3, 3));
    assert_eq!(fixture.process(21).await.taken, 0, "nothing is left");
    let history = fixture.history("o1").await;
    assert_eq!(history.order.state, Some("COMPLETED"));
    assert_eq!(history.order.confirmed, None);
    assert!(
        history
            .deliveries
            .iter()
            .all(|d| d.phase == "processed" && d.decision.is_some())
    );
    assert_eq!(history.transitions.len(), 2);
}

#[tokio::test]
async fn a_report_counts_what_has_arrived_since_the_last_one() {
    let fixture = Fixture::new().await;
    let event = |event| delivery(event, "o1", State::InReview, 10);
    fixture.accept(event("e1")).await;
    fixture.accept(event("e2")).await;
    assert_eq!(fixture.process(20).await.arrived, 2);
    assert_eq!(fixture.process(21).await.arrived, 0);
    fixture.accept(event("e3")).await;
    assert_eq!(fixture.process(22).await.arrived, 1);
    let fixture = fixture.again().await;
    assert_eq!(
        fixture.process(23).await.arrived,
        0,
        "those of an earlier run"
    );
    fixture.accept(event("e4")).await;
    assert_eq!(fixture.process(24).await.arrived, 1);
}

/// Pending deliveries are read before the writer's turn, so two runs may hold the same ones.
#[tokio::test]
async fn the_same_deliveries_are_processed_once() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let read = || pending::read(&fixture.store.readers, 256);
    let [first, second] = [read().await, read().await].map(|pending| pending.expect("reads"));
    fixture
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let process = |pending| fixture.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process(first).await.expect("processes").processed.len(), 1);
    assert_eq!(process(second).await.expect("processes").processed.len(), 0);
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
    let pending = pending::read(&fixture.store.readers, 256)
        .await
        .expect("reads");
    assert_eq!(pending.taken, 2);
    fixture
        .edit(
            "INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, phase, body) \
             SELECT 2, project, 'late', received_at, order_sinch_id, status, phase, body \
             FROM deliveries WHERE id = 1",
        )
        .await;
    let process = fixture.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process.await.expect("processes").processed.len(), 0);
    assert_eq!(fixture.process(21).await.processed.len(), 3);
}

#[tokio::test]
async fn a_storm_about_one_order_is_processed_in_parts_and_wholly() {
    let fixture = Fixture::new().await;
    for n in 0..600 {
        fixture
            .accept(delivery(&format!("e{n}"), "o1", State::InReview, n))
            .await;
    }
    fixture
        .accept(delivery("x", "o2", State::InReview, 700))
        .await;
    let parts = [
        fixture.process(1000).await,
        fixture.process(1000).await,
        fixture.process(1000).await,
    ];
    assert_eq!(parts.map(|report| report.processed.len()), [256, 256, 89]);
    assert_eq!(fixture.process(1000).await.taken, 0);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 600);
}

#[tokio::test]
async fn api_off_parks_what_would_need_an_answer() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let mut request = request(20);
    request.api_off = vec![id(PROJECT)];
    fixture.store.process(request).await.expect("processes");
    let history = fixture.history("o1").await;
    let phases: Vec<&str> = history
        .deliveries
        .iter()
        .map(|d| d.phase.as_str())
        .collect();
    assert_eq!(phases, ["parked", "processed"]);
    assert_eq!(
        (history.order.state, history.order.fetch_at),
        (Some("COMPLETED"), None)
    );
    assert!(fixture.claim(9999).await.is_empty());
    // When the API is on again, the order is fetched.
    let fixture = fixture.again().await;
    assert_eq!(fixture.claim(9999).await.len(), 1);
}
