//! The stop of the fetcher itself, and a Sinch that hangs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::fetching::{ALL_HANG, Fixture, PATIENCE, Sinch};

#[tokio::test]
async fn a_stop_that_is_cut_short_while_orders_wait_for_a_slot_lets_the_store_close() {
    let fixture = Fixture::new(300).await;
    let sinch = Sinch::start().await;
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let fetcher = fixture.fetcher(&sinch.url, 1, 2000.0, Arc::default());
    let running = tokio::spawn(fetcher.run(stop.clone(), abort.clone()));
    let (answered, _) = sinch.hesitates(&fixture).await;
    let deadline = Instant::now() + PATIENCE;
    while sinch.fetches() < answered + ALL_HANG
        || fixture.count("lease IS NOT NULL").await <= ALL_HANG as i64
    {
        assert!(Instant::now() < deadline, "orders wait for a slot");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    abort.cancel();
    assert_eq!(running.await.expect("no panic"), Ok(()));
    let Fixture { store, writer, .. } = fixture;
    drop(store);
    let closed = timeout(PATIENCE, writer).await;
    let closed = closed.expect("the fetcher holds the store no longer");
    assert_eq!(closed.expect("no panic"), Ok(()));
}
