//! Processing of pending deliveries.

use super::*;

#[tokio::test]
async fn processing_settles_all_that_waits_once() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    house
        .accept(delivery("e3", "o2", State::Rejected, 12))
        .await;
    let report = house.process(20).await;
    assert_eq!((report.taken, report.processed.len()), (3, 3));
    assert_eq!(house.process(21).await.taken, 0, "nothing is left");
    let history = house.history("o1").await;
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
    let house = House::new().await;
    let event = |event| delivery(event, "o1", State::InReview, 10);
    house.accept(event("e1")).await;
    house.accept(event("e2")).await;
    assert_eq!(house.process(20).await.arrived, 2);
    assert_eq!(house.process(21).await.arrived, 0);
    house.accept(event("e3")).await;
    assert_eq!(house.process(22).await.arrived, 1);
    let house = house.again().await;
    assert_eq!(
        house.process(23).await.arrived,
        0,
        "those of an earlier run"
    );
    house.accept(event("e4")).await;
    assert_eq!(house.process(24).await.arrived, 1);
}

/// Pending deliveries are read before the writer's turn, so two runs may hold the same ones.
#[tokio::test]
async fn the_same_deliveries_are_processed_once() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let read = || pending::read(&house.store.readers, 256);
    let [first, second] = [read().await, read().await].map(|pending| pending.expect("reads"));
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let process = |pending| house.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process(first).await.expect("processes").processed.len(), 1);
    assert_eq!(process(second).await.expect("processes").processed.len(), 0);
    assert_eq!(
        house.process(21).await.processed.len(),
        1,
        "what came since is left"
    );
    assert_eq!(house.history("o1").await.transitions.len(), 2);
}

/// A conflict is inserted after deliveries that came later in its batch: the inbox worker may read between the two.
#[tokio::test]
async fn a_delivery_that_comes_among_those_that_were_read_is_not_passed_over() {
    let house = House::new().await;
    let event = |event, secs| delivery(event, "o1", State::InReview, secs);
    house.accept(event("e1", 10)).await;
    // The duplicate uses up an id.
    assert_eq!(house.accept(event("e1", 10)).await, Accepted::Duplicate);
    house.accept(event("e2", 11)).await;
    let pending = pending::read(&house.store.readers, 256)
        .await
        .expect("reads");
    assert_eq!(pending.taken, 2);
    house
        .edit(
            "INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, phase, body) \
             SELECT 2, project, 'late', received_at, order_sinch_id, status, phase, body \
             FROM deliveries WHERE id = 1",
        )
        .await;
    let process = house.store.submit(Write::Process, (request(20), pending));
    assert_eq!(process.await.expect("processes").processed.len(), 0);
    assert_eq!(house.process(21).await.processed.len(), 3);
}

#[tokio::test]
async fn a_storm_about_one_order_is_processed_in_parts_and_wholly() {
    let house = House::new().await;
    for n in 0..600 {
        house
            .accept(delivery(&format!("e{n}"), "o1", State::InReview, n))
            .await;
    }
    house
        .accept(delivery("x", "o2", State::InReview, 700))
        .await;
    let parts = [
        house.process(1000).await,
        house.process(1000).await,
        house.process(1000).await,
    ];
    assert_eq!(parts.map(|report| report.processed.len()), [256, 256, 89]);
    assert_eq!(house.process(1000).await.taken, 0);
    assert_eq!(house.history("o1").await.deliveries.len(), 600);
}

#[tokio::test]
async fn api_off_parks_what_would_need_an_answer() {
    let house = House::new().await;
    house
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    house
        .accept(delivery("e2", "o1", State::Completed, 11))
        .await;
    let mut request = request(20);
    request.api_off = vec![id(PROJECT)];
    house.store.process(request).await.expect("processes");
    let history = house.history("o1").await;
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
    assert!(house.claim(9999).await.is_empty());
    // When the API is on again, the order is fetched.
    let house = house.again().await;
    assert_eq!(house.claim(9999).await.len(), 1);
}
