//! The stop of the fetcher itself, and a Sinch that hangs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::fetching::{ALL_HANG, Fixture, ORDERS, PATIENCE, Sinch};

/// Log that panics at a warning.
struct PanicsAtWarnings;

impl<S: Subscriber> Layer<S> for PanicsAtWarnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        assert!(level != tracing::Level::WARN, "a panic over one order");
    }
}

/// The release of one order fails, and the slot's task panics over it.
#[tokio::test]
async fn a_panic_over_one_order_during_the_stop_holds_up_no_other() {
    let (fixture, sinch) = (Fixture::new(ORDERS).await, Sinch::start().await);
    let (stop, running) = fixture.start(&sinch);
    sinch.hesitates(&fixture).await;
    sqlx::query(
        "CREATE TRIGGER refuses BEFORE UPDATE OF lease ON orders
         WHEN OLD.id = (SELECT max(id) FROM orders WHERE lease IS NOT NULL)
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .execute(&mut fixture.file().await)
    .await
    .expect("is made");
    let log = tracing_subscriber::registry().with(PanicsAtWarnings);
    let _log = tracing::subscriber::set_default(log);
    stop.cancel();
    sinch.answers(200);
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(fixture.count("lease IS NOT NULL").await, 1);
    assert_eq!(
        fixture.count("confirmed_state = 'IN_REVIEW'").await,
        sinch.fetches() as i64
    );
}

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
