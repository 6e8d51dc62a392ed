//! Events about numbers, and rows of numbers that are at fault.

use super::numbers::{FIRST, SECOND, linked};
use super::*;
use number_order::{OtherEvent, Readiness};

/// An event about a number.
pub(in crate::store) fn about(
    event: &str,
    resource_type: &str,
    number: &str,
    secs: i64,
) -> NewDelivery {
    let content = OtherEvent {
        resource_type: resource_type.to_owned(),
        resource: Some(number.to_owned()),
        event_type: Some("PROVISIONING_TO_SMS_PLATFORM".to_owned()),
        status: Some("SUCCEEDED".to_owned()),
        failure_code: None,
    };
    NewDelivery {
        subject: DeliveryContent::Other(content),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

impl Fixture {
    async fn hears(&self, event: &str, number: &str, secs: i64) -> ProcessReport {
        self.accept(about(event, "ACTIVE_NUMBER", number, secs))
            .await;
        self.process(secs).await
    }

    /// Ids of the events that are listed with an order, in its history and by the filter.
    async fn events(&self, order: &str) -> Vec<String> {
        let history = self.history(order).await.deliveries;
        let history: Vec<String> = history.into_iter().map(|row| row.event).collect();
        let filter = DeliveryFilter {
            order: Some(id(order)),
            limit: 99,
            ..DeliveryFilter::default()
        };
        let listed = self.store.deliveries(&filter).await.expect("reads").items;
        let listed: Vec<String> = listed.into_iter().map(|row| row.delivery.event).collect();
        assert_eq!(history, listed);
        history
    }
}

async fn an_event_is_listed_with_every_order_of_its_number(on: Backend) {
    let fixture = Fixture::on(on).await;
    // The number is not known yet, and its order is not either.
    assert_eq!(fixture.hears("e1", FIRST, 5).await.numbers_due, 0);
    fixture.shown("o1", State::Created, &[FIRST], 10).await;
    fixture
        .shown("o2", State::Completed, &[SECOND, FIRST], 11)
        .await;
    let report = fixture.hears("e2", SECOND, 20).await;
    assert_eq!((report.taken, report.numbers_due), (1, 1));
    fixture
        .accept(about("e3", "IMPORTED_NUMBER", FIRST, 21))
        .await;
    fixture
        .accept(about("e4", "HOSTING_ORDER_NUMBER", "hosting-1", 22))
        .await;
    fixture
        .accept(delivery("e5", "o2", State::Completed, 23))
        .await;
    fixture.process(24).await;
    assert_eq!(fixture.events("o1").await, ["e1", "e3"]);
    assert_eq!(fixture.events("o2").await, ["e1", "e2", "e3", "e5"]);
    let all = DeliveryFilter {
        limit: 99,
        ..DeliveryFilter::default()
    };
    let all = fixture.store.deliveries(&all).await.expect("reads").items;
    let hosting = serde_json::to_value(&all[3]).expect("JSON");
    assert_eq!(hosting["decision"]["fields"]["resource"], "hosting-1");
    assert_eq!(hosting["phase"], "recorded");
    let orders = fixture.number("SELECT count(*) FROM orders").await;
    assert_eq!(orders, 2, "no event about a number makes an order known");
}

/// What an event says that came during a fetch is not answered by that fetch.
async fn an_event_during_a_fetch_is_answered_by_a_later_one_only(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.shown("o1", State::Completed, &[FIRST], 10).await;
    for heard_during in [false, true] {
        let number = fixture.due_number(1000).await.expect("is due");
        if heard_during {
            let report = fixture.hears("e1", FIRST, 1002).await;
            assert_eq!(report.numbers_due, 1);
        }
        fixture.fetched(number, Ok(Some(linked())), 1000).await;
        let following = fixture.following(FIRST).await;
        assert_eq!(following.readiness, Some(Readiness::Ready));
        let next = heard_during.then(|| at(1003));
        assert_eq!(following.fetch_at, next, "heard during it: {heard_during}");
        if !heard_during {
            fixture
                .store
                .request_fetch(key("o1"), at(990))
                .await
                .expect("writes");
        }
    }
    fixture.fetch_number(None, 1018).await;
    let following = fixture.following(FIRST).await;
    assert_eq!(following.readiness, Some(Readiness::NotActive));
    assert_eq!(following.hinted_at, None);
}

/// A row that another program has spoilt is left out, and the others go on.
async fn a_number_that_cannot_be_read_holds_up_no_other(on: Backend) {
    for spoil in [
        "UPDATE order_numbers SET phone_number = CAST(x'2b31ff' AS TEXT) WHERE id = 1",
        "UPDATE order_numbers SET phone_number = '+1x' WHERE id = 1",
        "UPDATE order_numbers SET readiness = 'x', readiness_at = 1 WHERE id = 1",
        "UPDATE order_numbers SET failure = 'timed-out', failure_fields = '{', attempts = 1 WHERE id = 1",
        "UPDATE order_details SET details = '{' WHERE order_id = 1",
        "DELETE FROM order_details WHERE order_id = 1",
        "refused",
    ] {
        if spoil.contains("x'2b31ff'") && on != Backend::Sqlite {
            // Its texts are always UTF-8.
            continue;
        }
        let fixture = Fixture::on(on).await;
        fixture.shown("o1", State::Completed, &[FIRST], 10).await;
        fixture.shown("o2", State::Completed, &[SECOND], 11).await;
        if spoil == "refused" {
            fixture
                .refuse("UPDATE ON order_numbers", "OLD.id = 1")
                .await;
        } else {
            fixture.spoil(spoil).await;
        }
        for (event, number) in [("e1", FIRST), ("e2", SECOND)] {
            fixture
                .accept(about(event, "ACTIVE_NUMBER", number, 20))
                .await;
        }
        let report = fixture.process(20).await;
        assert_eq!(report.taken, 2, "{spoil}");
        assert!(report.numbers_due >= 1, "{spoil}");
        let mut fetched = Vec::new();
        while let Some(number) = fixture.due_number(30).await {
            let phone_number = number.phone_number.clone();
            let recorded = fixture.fetched(number, Ok(Some(linked())), 30).await;
            fetched.push((phone_number, recorded));
            assert!(fetched.len() < 5, "again and again: {spoil}");
        }
        let recorded = fetched.iter().filter(|(number, recorded)| {
            number == SECOND && matches!(recorded, NumberRecorded::Done(_))
        });
        assert_eq!(recorded.count(), 1, "{spoil}: {fetched:?}");
        let summary = fixture.store.summary(at(30)).await.expect("reads");
        assert!(
            summary
                .rows_unreadable
                .iter()
                .any(|row| row.table == "order_numbers"),
            "{spoil}: {:?}",
            summary.rows_unreadable
        );
        let ready = "SELECT count(*) FROM order_numbers WHERE id = 1 AND readiness = 'ready'";
        assert_eq!(fixture.number(ready).await, 0, "{spoil}");
    }
}

/// An event whose fields another program has spoilt holds up no processing.
async fn spoilt_fields_of_an_event_hold_up_nothing(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.shown("o1", State::Completed, &[FIRST], 10).await;
    for event in ["e1", "e2"] {
        fixture
            .accept(about(event, "ACTIVE_NUMBER", FIRST, 20))
            .await;
    }
    fixture
        .spoil("UPDATE deliveries SET decision_fields = '{' WHERE dedup_key = 'e1'")
        .await;
    let report = fixture.process(20).await;
    assert_eq!((report.taken, report.numbers_due), (2, 1));
}

suite!(
    an_event_is_listed_with_every_order_of_its_number,
    an_event_during_a_fetch_is_answered_by_a_later_one_only,
    a_number_that_cannot_be_read_holds_up_no_other,
    spoilt_fields_of_an_event_hold_up_nothing,
);
