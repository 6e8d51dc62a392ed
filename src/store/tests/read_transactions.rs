//! Answers to operators: each comes from one moment, though orders are confirmed while it is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;

/// Number of orders at which a torn answer is all but certain: without a transaction, half of all runs show one within
/// the first ten orders.
const ORDERS: i64 = 200;

fn name(n: i64) -> String {
    format!("o{n:03}")
}

/// Asserts that an order shows what its fetches and transitions tell, no less and no more.
fn assert_whole(history: &OrderDetail) {
    let is_confirmed = history.order.confirmed.is_some();
    let moved = history.transitions.iter().any(|moved| moved.confirmed);
    assert_eq!(is_confirmed, !history.fetches.is_empty(), "{history:?}");
    assert_eq!(is_confirmed, moved, "{history:?}");
    assert_eq!(is_confirmed, history.order.settled, "{history:?}");
}

/// Reads until the work is done; returns the number of reads.
fn reads<F: Future<Output = ()> + Send + 'static>(
    done: &Arc<AtomicBool>,
    mut read: impl FnMut(i64) -> F + Send + 'static,
) -> JoinHandle<i64> {
    let done = done.clone();
    tokio::spawn(async move {
        let mut count = 0;
        while !done.load(Relaxed) {
            read(count).await;
            count += 1;
        }
        count
    })
}

async fn no_answer_mixes_states_before_and_after_a_write(on: Backend) {
    let fixture = Fixture::on(on).await;
    let request = WatchRequest {
        project: id(PROJECT),
        orders: (0..ORDERS).map(|n| id(&name(n))).collect(),
        now: at(10),
    };
    fixture.store.watch(request).await.expect("writes");
    let done = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(std::sync::atomic::AtomicI64::new(0));

    let (store, current) = (fixture.store.clone(), newest.clone());
    let by_key = reads(&done, move |_| {
        let (store, key) = (store.clone(), key(&name(current.load(Relaxed))));
        async move {
            let history = store.history(&key).await.expect("reads");
            assert_whole(&history.expect("is known"));
        }
    });
    let (store, current) = (fixture.store.clone(), newest.clone());
    let by_id = reads(&done, move |_| {
        let (store, id) = (store.clone(), id(&name(current.load(Relaxed))));
        async move {
            match store.find(&id).await.expect("reads") {
                Found::One(history) => assert_whole(&history),
                other => panic!("not one: {other:?}"),
            }
        }
    });
    let store = fixture.store.clone();
    let all = reads(&done, move |_| {
        let store = store.clone();
        async move {
            let summary = store.summary(at(20)).await.expect("reads");
            let unknown = summary.orders_by_state.iter();
            let unknown = unknown.filter(|count| count.state == "UNKNOWN");
            let unknown: i64 = unknown.map(|count| count.orders).sum();
            assert_eq!(unknown, summary.unsettled(), "{summary:?}");
        }
    });

    for n in 0..ORDERS {
        let claims = fixture.claim_some(1, ClaimOrder::Oldest, 20).await;
        let [claim] = claims.as_slice() else {
            panic!("one is due at least")
        };
        assert_eq!(claim.key, key(&name(n)), "in their order");
        newest.store(n, Relaxed);
        fixture.record(claim, shows(State::InReview, 15), 21).await;
    }
    done.store(true, Relaxed);
    for reads in [by_key, by_id, all] {
        let count = reads.await.expect("no torn answer");
        assert!(count > 0, "nothing was read meanwhile");
    }
}

suite!(multi_thread: no_answer_mixes_states_before_and_after_a_write);
