//! What operators do with what is parked: it is dismissed, or processed again.

use super::*;
use number_order::NotUnderstood;

/// A delivery that is not understood.
fn garbled(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        subject: DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
        ..delivery(event, "o1", State::InReview, secs)
    }
}

impl Fixture {
    /// Ids of the parked deliveries, each with `true` if it is dismissed.
    async fn parked(&self) -> Vec<(i64, bool)> {
        let parked = self.store.deliveries(&parked_only(100)).await;
        let rows = parked.expect("reads").items.into_iter();
        rows.map(|row| (row.delivery.id, row.delivery.dismissed_at.is_some()))
            .collect()
    }

    async fn only_parked(&self) -> i64 {
        let parked = self.parked().await;
        assert_eq!(parked.len(), 1, "{parked:?}");
        parked[0].0
    }

    /// Has an order parked by attempts that bring nothing.
    async fn park_order(&self, order: &str, secs: i64) {
        let mut now = secs;
        loop {
            let known = self.store.history(&key(order)).await.expect("reads");
            if known.is_some_and(|known| known.order.parked.is_some()) {
                return;
            }
            for claim in self.claim(now).await {
                self.record(&claim, Ok(Answer::NotFound), now).await;
            }
            now += 1000;
        }
    }

    async fn dismiss(&self, order: &str, secs: i64) -> Dismissed {
        let dismissed = self.store.dismiss_order(key(order), at(secs)).await;
        dismissed.expect("writes")
    }
}

async fn a_dismissed_delivery_stays_and_counts_no_more(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.accept(garbled("e1", 10)).await;
    fixture.accept(garbled("e2", 11)).await;
    fixture
        .accept(delivery("e3", "o1", State::InReview, 12))
        .await;
    fixture.process(13).await;
    let parked: Vec<i64> = fixture
        .parked()
        .await
        .into_iter()
        .map(|row| row.0)
        .collect();
    assert_eq!(fixture.summary(20).await.deliveries_parked, 2);
    let dismiss = async |id| {
        fixture
            .store
            .dismiss_delivery(id, at(30))
            .await
            .expect("writes")
    };
    assert_eq!(dismiss(parked[0]).await, Dismissed::Done);
    assert_eq!(dismiss(parked[0]).await, Dismissed::Done, "again");
    let processed = fixture.history("o1").await.deliveries[0].id;
    assert_eq!(dismiss(processed).await, Dismissed::NotParked);
    assert_eq!(dismiss(9999).await, Dismissed::Unknown);
    assert_eq!(
        fixture.parked().await,
        [(parked[0], true), (parked[1], false)]
    );
    assert_eq!(fixture.summary(40).await.deliveries_parked, 1);
}

async fn a_dismissed_order_counts_no_more_until_it_is_parked_anew(on: Backend) {
    let fixture = Fixture::on(on).await;
    assert_eq!(fixture.dismiss("o1", 5).await, Dismissed::Unknown);
    let watched = WatchRequest {
        project: id(PROJECT),
        orders: vec![id("o1")],
        now: at(10),
    };
    fixture.store.watch(watched).await.expect("writes");
    assert_eq!(fixture.dismiss("o1", 11).await, Dismissed::NotParked);
    fixture.park_order("o1", 20).await;
    let parked = async |secs| fixture.summary(secs).await.orders_parked;
    let dismissed_at = async || fixture.history("o1").await.order.dismissed_at;
    assert_eq!((parked(10_000).await, dismissed_at().await), (1, None));
    assert_eq!(fixture.dismiss("o1", 10_000).await, Dismissed::Done);
    assert_eq!(parked(10_001).await, 0);
    assert!(dismissed_at().await.is_some());

    let fetched = fixture.store.request_fetch(key("o1"), at(20_000)).await;
    assert_eq!(fetched, Ok(true));
    assert_eq!(dismissed_at().await, None, "it is not parked");
    fixture.park_order("o1", 20_001).await;
    assert_eq!((parked(40_000).await, dismissed_at().await), (1, None));

    assert_eq!(fixture.dismiss("o1", 40_000).await, Dismissed::Done);
    fixture
        .accept(delivery("e1", "o1", State::InReview, 50_000))
        .await;
    fixture.process(50_001).await;
    fixture.park_order("o1", 50_002).await;
    assert_eq!((parked(90_000).await, dismissed_at().await), (1, None));
}

async fn a_parked_delivery_is_processed_anew_as_it_is_read_now(on: Backend) {
    let fixture = Fixture::on(on).await;
    let parked = garbled("e1", 10);
    fixture.accept(parked.clone()).await;
    fixture.accept(parked.clone()).await;
    fixture.process(11).await;
    let id = fixture.only_parked().await;
    fixture
        .store
        .dismiss_delivery(id, at(12))
        .await
        .expect("writes");
    let found = fixture.store.parked(id).await.expect("reads");
    let ParkedFound::Parked(found) = found else {
        panic!("{found:?}");
    };
    assert_eq!(
        (found.body.as_slice(), found.received_at),
        (&parked.body[..], at(10))
    );
    assert_eq!(
        (found.project.as_str(), found.callback_key),
        (PROJECT, None)
    );

    let again = delivery("e1", "o1", State::InReview, 10);
    let replay = async |id| {
        fixture
            .store
            .replay(id, again.clone())
            .await
            .expect("writes")
    };
    assert!(replay(id).await);
    assert_eq!(fixture.parked().await, []);
    assert_eq!(fixture.summary(12).await.deliveries_waiting, 1);
    assert_eq!(fixture.process(13).await.processed.len(), 1);
    let history = fixture.history("o1").await;
    assert_eq!(history.order.state, Some("IN_REVIEW"));
    assert_eq!(history.deliveries.len(), 1);
    assert_eq!(history.deliveries[0].received_at, at(10));
    assert_eq!(fixture.summary(14).await.deliveries_parked, 0);

    assert!(!replay(id).await, "it is not parked any more");
    assert_eq!(fixture.store.parked(id).await, Ok(ParkedFound::Unknown));
    let processed = history.deliveries[0].id;
    assert_eq!(
        fixture.store.parked(processed).await,
        Ok(ParkedFound::NotParked)
    );
    assert!(!replay(processed).await);
    assert_eq!(fixture.accept(again.clone()).await, Accepted::Duplicate);
    assert_eq!(fixture.history("o1").await.deliveries.len(), 1);
}

async fn an_event_that_waited_for_the_api_is_decided_once_it_is_on(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(11).await;
    fixture
        .accept(delivery("e0", "o1", State::Blocked, 9))
        .await;
    let api_off = ProcessRequest {
        api_off: vec![id(PROJECT)],
        ..request(12)
    };
    fixture.store.process(api_off).await.expect("processes");
    let parked = fixture.only_parked().await;
    let hints = async || fixture.history("o1").await.order.hints;
    assert_eq!(hints().await, ["IN_REVIEW", "BLOCKED"]);
    let again = delivery("e0", "o1", State::Blocked, 9);
    let replayed = fixture.store.replay(parked, again).await;
    assert_eq!(replayed, Ok(true));
    fixture.process(13).await;
    assert_eq!(fixture.parked().await, []);
    let claimed_once = ["IN_REVIEW", "BLOCKED"];
    assert_eq!(hints().await, claimed_once);
    let history = fixture.history("o1").await;
    let phases = history.deliveries.iter().map(|row| row.phase.as_str());
    assert_eq!(phases.collect::<Vec<_>>(), ["processed", "processed"]);
    assert!(history.order.fetch_at.is_some());
}

suite!(
    a_dismissed_delivery_stays_and_counts_no_more,
    a_dismissed_order_counts_no_more_until_it_is_parked_anew,
    a_parked_delivery_is_processed_anew_as_it_is_read_now,
    an_event_that_waited_for_the_api_is_decided_once_it_is_on,
);
