//! Processing of pending deliveries, by one replica and by several at once.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::*;
use number_order::DeliveryDecision;

#[tokio::test]
async fn what_waits_for_an_order_is_processed_together() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    for (event, state, secs) in [("e1", State::Created, 10), ("e2", State::InReview, 11)] {
        accept(&store, delivery(event, "o1", state, secs)).await;
    }
    let report = process(&store, 20).await;
    assert_eq!((report.taken, report.arrived), (2, 2));
    assert!(report.processed.iter().all(|done| !done.parked));
    let order = "SELECT provisional_state, state, heard_at / 1000000, fetch_at / 1000000, priority FROM orders";
    assert_eq!(fixture.text(order), "IN_REVIEW|IN_REVIEW|11|20|2");
    assert_eq!(fixture.number("SELECT count(*) FROM decisions"), 2);
    assert_eq!(fixture.number("SELECT count(*) FROM transitions"), 2);
    assert_eq!(fixture.number("SELECT count(*) FROM pending"), 0);
    assert_eq!(process(&store, 21).await.taken, 0);
}

#[tokio::test]
async fn an_order_that_cannot_be_read_or_written_holds_up_no_other() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    for order in ["unreadable", "unwritable", "sound"] {
        accept(&store, delivery(order, order, State::Created, 10)).await;
    }
    process(&store, 20).await;
    fixture.text(
        "UPDATE orders SET hints = '[7]', hinted_at = 1 WHERE sinch_id = 'unreadable';
         ALTER TABLE orders ADD CHECK (sinch_id <> 'unwritable' OR heard_at < 15000000)",
    );
    for order in ["unreadable", "unwritable", "sound"] {
        accept(
            &store,
            delivery(&format!("{order} 2"), order, State::InReview, 30),
        )
        .await;
    }
    let report = process(&store, 40).await;
    assert_eq!(report.taken, 3);
    for done in &report.processed {
        let expected = match done.key.order.as_str() {
            "unreadable" => "order-unreadable",
            "unwritable" => "order-unwritable",
            _ => "fits",
        };
        assert_eq!(done.decision.code(), expected);
        assert_eq!(
            done.parked,
            !matches!(done.decision, DeliveryDecision::Event(_))
        );
    }
    assert_eq!(report.processed.len(), 3);
    assert_eq!(fixture.number("SELECT count(*) FROM pending"), 0);
    assert_eq!(
        fixture.number("SELECT count(*) FROM decisions WHERE parked"),
        2
    );
}

/// Three replicas process at once while callbacks for few orders come in: each delivery is decided on once, and what was
/// recorded about an order's states is one chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_process_at_once_decide_on_each_delivery_once() {
    const DELIVERIES: usize = 1200;
    let fixture = fixture!(Fixture::new());
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(fixture.store().await);
    }
    let mut accepting = JoinSet::new();
    for n in 0..DELIVERIES {
        let store = stores[n % 3].clone();
        let states = [
            State::Created,
            State::InReview,
            State::Blocked,
            State::Completed,
        ];
        let order = format!("o{}", n % 40);
        let one = delivery(&format!("e{n}"), &order, states[n / 40 % 4], 10 + n as i64);
        accepting.spawn(async move { accept(&store, one).await });
    }
    let mut processing = JoinSet::new();
    for store in stores {
        processing.spawn(async move {
            let (mut mine, mut idle) = (Vec::new(), 0);
            while idle < 20 {
                let request = ProcessRequest {
                    deliveries_max: 32,
                    ..request(5000)
                };
                let report = store.process(request).await.expect("processes");
                idle = if report.taken == 0 { idle + 1 } else { 0 };
                mine.extend(report.processed.into_iter().map(|done| done.delivery));
                tokio::task::yield_now().await;
            }
            mine
        });
    }
    accepting.join_all().await;
    let mut all = processing.join_all().await.concat();
    // What came at the end may have been too late for all of them.
    let last = fixture.store().await;
    loop {
        let report = process(&last, 5000).await;
        if report.taken == 0 {
            break;
        }
        all.extend(report.processed.into_iter().map(|done| done.delivery));
    }
    let each: HashSet<i64> = all.iter().copied().collect();
    assert_eq!((all.len(), each.len()), (DELIVERIES, DELIVERIES));
    assert_eq!(
        fixture.number("SELECT count(*) FROM decisions"),
        DELIVERIES as i64
    );
    assert_eq!(fixture.number("SELECT count(*) FROM orders"), 40);
    let torn = "SELECT count(*) FROM (SELECT from_state, lag(to_state) OVER (PARTITION BY order_id ORDER BY id) AS before \
                FROM transitions) AS t WHERE from_state IS DISTINCT FROM before";
    assert_eq!(
        fixture.number(torn),
        0,
        "every change begins where the one before ended"
    );
}

/// An id is drawn before its commit, so a delivery can appear below one that was processed already. The queue has it;
/// the control, a reader that goes on from the last id, misses it.
#[tokio::test]
async fn a_delivery_that_is_committed_late_is_processed() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let connector = connect::Connector::new(&fixture.settings()).expect("an address");
    let mut late = connector.connect_patient().await.expect("connects");
    let begun = sqlx::raw_sql("BEGIN").execute(&mut late).await;
    begun.expect("begins");
    let delivery_of = |event, order| delivery(event, order, State::Created, 10);
    let incoming = Incoming::new(&delivery_of("late", "o1"), 10);
    inbox::accept(&mut late, &[incoming])
        .await
        .expect("is written");
    accept(&store, delivery_of("early", "o2")).await;
    assert_eq!(process(&store, 20).await.taken, 1);
    let watermark = fixture.number("SELECT max(id) FROM deliveries");
    let committed = sqlx::raw_sql("COMMIT").execute(&mut late).await;
    committed.expect("commits");
    let beyond = format!("SELECT count(*) FROM deliveries WHERE id > {watermark}");
    assert_eq!(fixture.number(&beyond), 0, "the control misses it");
    let report = process(&store, 21).await;
    assert_eq!(report.processed.len(), 1);
    assert_eq!(report.processed[0].dedup_key, "late");
}
