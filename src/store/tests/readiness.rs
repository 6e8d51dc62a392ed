//! Write probes: readiness reports that the database refuses callbacks.

use super::*;

/// A write probe is no callback: it leaves nothing, and wakes no worker.
async fn a_write_probe_leaves_no_callback(on: Backend) {
    let fixture = Fixture::on(on).await;
    for n in 0..3 {
        fixture.store.probe_write(at(20 + n)).await.expect("probes");
        let taken = delivery(&format!("e{n}"), "o1", State::InReview, 10);
        let (probe_write, taken) = tokio::join!(
            fixture.store.probe_write(at(40)),
            fixture.store.accept(taken)
        );
        assert_eq!((probe_write, taken), (Ok(()), Ok(Accepted::New)));
    }
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries").await, 3);
    assert_eq!(fixture.number("SELECT count(*) FROM orders").await, 0);
    assert_eq!(fixture.process(50).await.processed.len(), 3);
}

async fn a_probe_fails_if_callbacks_are_refused(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.store.probe_write(at(20)).await.expect("probes");
    fixture.refuse("INSERT ON deliveries", "true").await;
    let event = delivery("e1", "o1", State::InReview, 10);
    let refused = fixture.store.accept(event).await;
    assert!(
        matches!(refused, Err(StoreError::Rejected(_))),
        "the control: {refused:?}"
    );
    let probe_write = fixture.store.probe_write(at(30)).await;
    assert!(
        matches!(probe_write, Err(StoreError::Rejected(_))),
        "{probe_write:?}"
    );
}

suite!(
    a_write_probe_leaves_no_callback,
    a_probe_fails_if_callbacks_are_refused,
);
