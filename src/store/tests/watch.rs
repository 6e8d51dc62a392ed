//! A long list of orders is made known in parts, so that no callback has to wait for all of it.

use std::time::Instant;

use super::*;

/// Maximum number of orders for which one request has room.
const ORDERS: usize = 150_000;

impl Fixture {
    async fn known(&self) -> i64 {
        self.number("SELECT count(*) FROM orders").await
    }

    fn watch_many(&self) -> JoinHandle<Result<u64, StoreError>> {
        let request = WatchRequest {
            project: id(PROJECT),
            orders: (0..ORDERS).map(|n| id(&format!("order-{n}"))).collect(),
            now: at(10),
        };
        let store = self.store.clone();
        tokio::spawn(async move { store.watch(request).await })
    }

    /// Accepts callbacks until one is answered while only a part of the list is known; returns the size of that part.
    async fn accept_amid(&self) -> i64 {
        let deadline = Instant::now() + Duration::from_secs(180);
        for n in 0.. {
            assert!(Instant::now() < deadline, "the list is never known in part");
            let pending = delivery(&format!("e{n}"), "order-0", State::InReview, 10);
            assert_eq!(self.accept(pending).await, Accepted::New);
            let known = self.known().await;
            assert!(known < ORDERS as i64, "callbacks waited for the whole list");
            if known > 0 {
                return known;
            }
        }
        unreachable!("the deadline is sooner");
    }
}

async fn callbacks_are_accepted_between_the_parts_of_a_list(on: Backend) {
    let fixture = Fixture::on(on).await;
    let watching = fixture.watch_many();
    fixture.accept_amid().await;
    let new = watching.await.expect("no panic").expect("writes");
    assert_eq!(new, ORDERS as u64);
    assert_eq!(fixture.known().await, ORDERS as i64);
}

async fn a_list_that_was_cut_off_can_be_sent_again(on: Backend) {
    let fixture = Fixture::on(on).await;
    let watching = fixture.watch_many();
    fixture.accept_amid().await;
    watching.abort();
    assert!(watching.await.is_err_and(|end| end.is_cancelled()));
    // The part of the list that was in flight is written all the same.
    fixture.store.probe_write(at(11)).await.expect("writes");
    let before = fixture.known().await;
    assert!(before > 0 && before < ORDERS as i64, "{before}");
    let again = fixture.watch_many().await.expect("no panic");
    assert_eq!(again.expect("writes"), (ORDERS as u64) - before as u64);
    assert_eq!(fixture.known().await, ORDERS as i64);
    let due = "SELECT count(*) FROM orders WHERE fetch_at = 10000000 AND first_seen_at = 10000000";
    assert_eq!(fixture.number(due).await, ORDERS as i64, "each once");
}

suite!(
    callbacks_are_accepted_between_the_parts_of_a_list,
    a_list_that_was_cut_off_can_be_sent_again,
);
