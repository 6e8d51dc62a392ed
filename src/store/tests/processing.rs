//! Processing of pending deliveries.

use super::*;

async fn processing_settles_all_that_waits_once(on: Backend) {
    let fixture = Fixture::on(on).await;
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

async fn a_report_counts_what_has_arrived_since_the_last_one(on: Backend) {
    let fixture = Fixture::on(on).await;
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

async fn a_storm_about_one_order_is_processed_in_parts_and_wholly(on: Backend) {
    let fixture = Fixture::on(on).await;
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

async fn api_off_parks_what_would_need_an_answer(on: Backend) {
    let fixture = Fixture::on(on).await;
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

suite!(
    processing_settles_all_that_waits_once,
    a_report_counts_what_has_arrived_since_the_last_one,
    a_storm_about_one_order_is_processed_in_parts_and_wholly,
    api_off_parks_what_would_need_an_answer,
);
