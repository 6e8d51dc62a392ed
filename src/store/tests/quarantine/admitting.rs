//! Callbacks of the quarantine come into the inbox: each once, whatever happens in between.

use tokio::sync::watch;

use super::*;

impl Fixture {
    /// The quarantine with each of its callbacks as it goes into the inbox.
    async fn to_admit(&self) -> Vec<(i64, NewDelivery)> {
        let rows = self.part().await.into_iter();
        let each = rows.map(|row| {
            let text = String::from_utf8(row.body.to_vec()).expect("text");
            let mut words = text.split(' ');
            let (event, order) = (words.next().expect("a word"), words.next().expect("a word"));
            let mut delivery = delivery(event, order, State::InReview, 10);
            delivery.received_at = row.received_at;
            (row.id, delivery)
        });
        each.collect()
    }
}

async fn what_is_admitted_is_in_the_inbox_once(on: Backend) {
    let fixture = Fixture::on(on).await;
    let callbacks = vec![
        refused("e1", "o1", 10),
        refused("e2", "o2", 11),
        refused("e3", "o3", 12),
    ];
    fixture.keep(callbacks).await;
    // One of them came again by itself before that.
    fixture
        .accept(delivery("e2", "o2", State::InReview, 10))
        .await;
    let mut genuine = fixture.to_admit().await;
    let gone = genuine[2].0;
    assert_eq!(fixture.store.dismiss_quarantined(gone).await, Ok(true));
    assert_eq!(fixture.store.dismiss_quarantined(gone).await, Ok(false));
    genuine.sort_by(|(_, a), (_, b)| a.event_id.cmp(&b.event_id));
    let admitted = fixture.store.admit(genuine.clone()).await.expect("writes");
    assert_eq!(
        admitted,
        [Some(Accepted::New), Some(Accepted::Duplicate), None]
    );
    // A request that is repeated, after a kill or beside another replica, finds them gone.
    let again = fixture.store.admit(genuine).await.expect("writes");
    assert_eq!(again, [None, None, None]);
    assert_eq!(fixture.in_quarantine().await, []);
    fixture.process(20).await;
    for (order, duplicates) in [("o1", 0), ("o2", 1)] {
        let history = fixture.history(order).await;
        assert_eq!(history.deliveries.len(), 1, "{order}");
        assert_eq!(history.deliveries[0].duplicates, duplicates, "{order}");
        assert_eq!(history.order.state, Some("IN_REVIEW"), "{order}");
    }
    let received = fixture.history("o1").await.deliveries[0].received_at;
    assert_eq!(received, at(10), "the time of receipt stays");
    let unknown = fixture.store.history(&key("o3")).await.expect("reads");
    assert!(unknown.is_none(), "it was dismissed");
}

async fn a_refused_admission_changes_nothing(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .keep(vec![refused("e1", "o1", 10), refused("e2", "o2", 10)])
        .await;
    let genuine = fixture.to_admit().await;
    fixture
        .refuse("INSERT ON deliveries", "NEW.dedup_key = 'e2'")
        .await;
    let refused = fixture.store.admit(genuine.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::Rejected(_))),
        "{refused:?}"
    );
    assert_eq!(
        fixture.in_quarantine().await.len(),
        2,
        "both are still there"
    );
    assert_eq!(fixture.number("SELECT count(*) FROM deliveries").await, 0);
    fixture.refuse_no_more("deliveries").await;
    let admitted = fixture.store.admit(genuine).await.expect("writes");
    assert_eq!(admitted, [Some(Accepted::New); 2]);
}

/// Whatever moment a kill comes at, each callback is in the quarantine or in the inbox, and never in both.
async fn a_kill_in_between_loses_none_and_doubles_none(on: Backend) {
    const CALLBACKS: usize = 40;
    const KILLS: usize = 10;
    let mut fixture = Fixture::on(on).await;
    let all = (0..CALLBACKS).map(|nth| refused(&format!("e{nth}"), &format!("o{nth}"), 10));
    fixture.keep(all.collect()).await;
    let both = "SELECT (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM deliveries)";
    for kill in 0..KILLS {
        let before = fixture.to_admit().await.len();
        fixture = killed_while_it_admits(fixture, kill).await;
        let number = fixture.number(both).await;
        assert_eq!(number, CALLBACKS as i64, "kill {kill}");
        let after = fixture.to_admit().await.len();
        assert!(
            0 < after && after < before,
            "kill {kill}: {after} of {before}"
        );
    }
    for callback in fixture.to_admit().await {
        fixture.store.admit(vec![callback]).await.expect("writes");
    }
    let deliveries = fixture.number("SELECT count(*) FROM deliveries").await;
    assert_eq!(deliveries, CALLBACKS as i64);
    assert_eq!(fixture.in_quarantine().await, []);
}

/// Kills a store while it admits its second callback or one soon after, at another step each time, and opens it again.
async fn killed_while_it_admits(mut fixture: Fixture, kill: usize) -> Fixture {
    let (store, callbacks) = (fixture.store.clone(), fixture.to_admit().await);
    let (admitted, mut count) = watch::channel(0);
    let admission = tokio::spawn(async move {
        for callback in callbacks.into_iter().take(3) {
            if store.admit(vec![callback]).await.is_err() {
                return;
            }
            admitted.send_modify(|count| *count += 1);
        }
    });
    count
        .wait_for(|count| *count > 0)
        .await
        .expect("one is admitted");
    for _ in 0..kill * 3 {
        tokio::task::yield_now().await;
    }
    fixture.run.abort();
    admission.abort();
    // Both are cancelled, or have ended before.
    let _ = admission.await;
    let _ = (&mut fixture.run).await;
    drop(fixture.store);
    Fixture::open(fixture.place, ONE_PROJECT).await
}

suite!(
    what_is_admitted_is_in_the_inbox_once,
    a_refused_admission_changes_nothing,
    a_kill_in_between_loses_none_and_doubles_none,
);
