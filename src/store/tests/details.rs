//! Subjects of orders, and the lists that are filtered by them.

use serde_json::json;

use super::*;
use crate::store::sql::cursor::List;
use crate::store::{AlertQuery, OrderFilter};
use number_order::{Limits, NotUnderstood, OrderDetails, OrderNumber, OtherEvent, Price};

fn number(phone_number: &str, amount: &str) -> OrderNumber {
    let price = |amount: &str| Price {
        currency: "EUR".to_owned(),
        amount: amount.to_owned(),
    };
    OrderNumber {
        phone_number: phone_number.to_owned(),
        setup_price: None,
        monthly_price: Some(price(amount)),
        payment_interval_months: Some(1),
        capabilities: vec!["SMS".to_owned(), "VOICE".to_owned()],
    }
}

fn subject(region: &str, numbers: Vec<OrderNumber>) -> OrderDetails {
    OrderDetails {
        region: Some(region.to_owned()),
        number_type: Some("MOBILE".to_owned()),
        created_at: Some(at(5)),
        sms_configuration: Some(json!({ "servicePlanId": "s" })),
        voice_configuration: None,
        numbers,
    }
}

impl Fixture {
    /// Fetches an order; the answer shows the given subject.
    async fn shows(&self, order: &str, secs: i64, details: Option<OrderDetails>) {
        let found = self.store.request_fetch(key(order), at(secs)).await;
        assert!(found.expect("writes"), "{order} is known");
        let claim = self.claim(secs).await.remove(0);
        let Ok(Answer::Found(shown)) = shows(State::Created, secs) else {
            panic!("an answer");
        };
        let shown = Snapshot {
            details: details.map(Box::new),
            ..shown
        };
        self.record(&claim, Ok(Answer::Found(shown)), secs).await;
    }

    async fn knows(&self, order: &str) {
        let event = format!("e-{order}");
        self.accept(delivery(&event, order, State::Created, 1))
            .await;
        self.process(1).await;
    }

    async fn listed(&self, filter: OrderFilter) -> Vec<String> {
        let filter = OrderFilter { limit: 9, ..filter };
        let listing = self.store.orders(&filter).await.expect("reads");
        listing.items.into_iter().map(|row| row.order).collect()
    }
}

async fn a_subject_is_kept_as_it_was_last_shown(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.knows("o1").await;
    assert_eq!(fixture.history("o1").await.order.details.numbers, []);
    let two = vec![
        number("+61411111112", "1.00"),
        number("+61411111111", "2.00"),
    ];
    fixture
        .shows("o1", 10, Some(subject("AU", two.clone())))
        .await;
    let row = fixture.history("o1").await.order;
    assert_eq!(row.details, subject("AU", two.clone()));

    // An answer that does not describe the order removes nothing of its subject.
    fixture.shows("o1", 20, None).await;
    assert_eq!(fixture.history("o1").await.order.details.numbers, two);

    // One number is gone, one has another price, one is new.
    let other = vec![
        number("+61411111111", "3.00"),
        number("+61411111113", "1.00"),
    ];
    fixture
        .shows("o1", 30, Some(subject("AU", other.clone())))
        .await;
    let row = fixture.history("o1").await.order;
    assert_eq!(row.details.numbers, other);
    let filter = OrderFilter {
        limit: 9,
        ..OrderFilter::default()
    };
    let listing = fixture.store.orders(&filter).await.expect("reads");
    assert_eq!(
        listing.items[0].details.numbers, other,
        "the list shows them as well"
    );
}

/// Thousands of numbers, of which some go and come: each step over them is written in time that grows with them, since with
/// its square this test would take minutes.
async fn an_order_may_have_thousands_of_numbers(on: Backend) {
    let fixture = Fixture::on(on).await;
    let numbers = |of: std::ops::Range<u64>| {
        let numbers = of.map(|n| number(&format!("+614{n:08}"), "1.00"));
        Some(subject("AU", numbers.collect()))
    };
    let count = "SELECT count(*) FROM order_numbers AS n JOIN orders AS o ON o.id = n.order_id WHERE o.sinch_id = 'o1'";
    fixture.knows("o2").await;
    fixture.shows("o2", 10, numbers(0..10)).await;
    fixture.knows("o1").await;
    for shown in [0..6000, 0..6000, 3000..9000] {
        fixture.shows("o1", 10, numbers(shown)).await;
    }
    assert_eq!(fixture.number(count).await, 6000);
    let lowest = "SELECT min(substr(phone_number, 5)) FROM order_numbers AS n JOIN orders AS o ON o.id = n.order_id \
                  WHERE o.sinch_id = 'o1'";
    assert_eq!(fixture.place.texts(lowest).await, ["00003000"]);
    assert_eq!(fixture.history("o2").await.order.details.numbers.len(), 10);
}

async fn an_order_is_found_by_any_part_of_a_number_and_by_its_region(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (order, secs, region, phone_number) in [
        ("o1", 10, "AU", "+61411111112"),
        ("o2", 11, "SE", "+46700000000"),
    ] {
        fixture.knows(order).await;
        let details = subject(region, vec![number(phone_number, "1.00")]);
        fixture.shows(order, secs, Some(details)).await;
    }
    let by_number = |digits: &str| OrderFilter {
        number: Some(digits.to_owned()),
        ..OrderFilter::default()
    };
    assert_eq!(fixture.listed(by_number("61411111112")).await, ["o1"]);
    assert_eq!(fixture.listed(by_number("11112")).await, ["o1"]);
    assert_eq!(fixture.listed(by_number("1112")).await, ["o1"]);
    assert_eq!(fixture.listed(by_number("4670")).await, ["o2"]);
    assert_eq!(fixture.listed(by_number("9")).await, Vec::<String>::new());
    // A number without digits is no reason to refuse the answer.
    let empty = vec![number("", "1.00"), number("+46700000009", "1.00")];
    fixture.shows("o2", 12, Some(subject("SE", empty))).await;
    assert_eq!(fixture.listed(by_number("46700000009")).await, ["o2"]);
    let gone = subject("SE", vec![number("+46700000001", "1.00")]);
    fixture.shows("o2", 13, Some(gone)).await;
    assert_eq!(
        fixture.listed(by_number("46700000009")).await,
        Vec::<String>::new()
    );
    let by_region = OrderFilter {
        region: Some("SE".to_owned()),
        ..OrderFilter::default()
    };
    assert_eq!(fixture.listed(by_region).await, ["o2"]);
}

async fn orders_are_listed_by_change_alert_and_age(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (order, secs) in [("o1", 10), ("o2", 20)] {
        fixture.knows(order).await;
        fixture.shows(order, secs, None).await;
    }
    let newest = OrderFilter {
        newest_first: true,
        ..OrderFilter::default()
    };
    assert_eq!(fixture.listed(newest.clone()).await, ["o2", "o1"]);
    let second = OrderFilter {
        after: Some(List::Orders.cursor(2)),
        ..newest
    };
    assert_eq!(
        fixture.listed(second).await,
        ["o1"],
        "the page after the newest"
    );
    let changed = |secs| OrderFilter {
        changed_since: Some(at(secs)),
        ..OrderFilter::default()
    };
    assert_eq!(fixture.listed(changed(15)).await, ["o2"]);
    assert_eq!(fixture.listed(changed(21)).await, Vec::<String>::new());
    let limits = Limits {
        expiring: vec![Duration::from_secs(100)],
        review: Duration::from_secs(1),
        blocked: Duration::from_secs(1),
    };
    // The orders expire 9000 s after their last update.
    for (code, secs, expected) in [
        ("expiring", 8900, &[][..]),
        ("expiring", 8911, &["o1"]),
        ("expiring", 8999, &["o1", "o2"]),
        ("overdue", 9015, &["o1"]),
        ("long-in-review", 9015, &[]),
        ("long-blocked", 9015, &[]),
    ] {
        let alert = AlertQuery {
            code,
            now: at(secs),
            limits: limits.clone(),
        };
        let filter = OrderFilter {
            alert: Some(alert),
            ..OrderFilter::default()
        };
        assert_eq!(fixture.listed(filter).await, expected, "{code} at {secs}");
    }
}

async fn deliveries_are_listed_by_order_decision_phase_and_time(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (event, order, secs) in [("e1", "o1", 10), ("e2", "o2", 20), ("e3", "o1", 30)] {
        fixture
            .accept(delivery(event, order, State::Created, secs))
            .await;
    }
    fixture.process(31).await;
    fixture
        .accept(delivery("e4", "o1", State::Blocked, 40))
        .await;
    let list = async |filter: DeliveryFilter| {
        let filter = DeliveryFilter { limit: 9, ..filter };
        let listing = fixture.store.deliveries(&filter).await.expect("reads");
        let events = listing.items.into_iter().map(|row| row.delivery.event);
        events.collect::<Vec<String>>()
    };
    let all = DeliveryFilter::default();
    assert_eq!(list(all.clone()).await, ["e1", "e2", "e3", "e4"]);
    let order = Some(id("o1"));
    assert_eq!(
        list(DeliveryFilter {
            order,
            ..all.clone()
        })
        .await,
        ["e1", "e3", "e4"]
    );
    let decision = Some("first-event");
    assert_eq!(
        list(DeliveryFilter {
            decision,
            ..all.clone()
        })
        .await,
        ["e1", "e2"]
    );
    let phase = Some("waiting");
    assert_eq!(
        list(DeliveryFilter {
            phase,
            ..all.clone()
        })
        .await,
        ["e4"]
    );
    let since = DeliveryFilter {
        since: Some(at(20)),
        until: Some(at(40)),
        newest_first: true,
        ..all
    };
    assert_eq!(list(since).await, ["e3", "e2"]);
}

async fn deliveries_about_no_order_are_listed_by_decision(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::Created, 10))
        .await;
    let other = OtherEvent {
        resource_type: "ACTIVE_NUMBER".to_owned(),
        resource: None,
        event_type: None,
        status: None,
        failure_code: None,
    };
    for (event, subject) in [
        ("e5", DeliveryContent::Other(other)),
        (
            "e6",
            DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
        ),
    ] {
        let of_order = delivery(event, "o9", State::Created, 50);
        fixture
            .accept(NewDelivery {
                subject,
                ..of_order
            })
            .await;
    }
    for (code, event) in [("other-resource", "e5"), ("body-not-an-object", "e6")] {
        let decision = Some(code);
        let of_code = DeliveryFilter {
            decision,
            limit: 9,
            ..DeliveryFilter::default()
        };
        let listing = fixture.store.deliveries(&of_code).await.expect("reads");
        let events = listing.items.iter().map(|row| row.delivery.event.as_str());
        assert_eq!(events.collect::<Vec<_>>(), [event]);
    }
}

async fn a_spoilt_subject_hides_no_order(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (order, secs) in [("o1", 10), ("o2", 11)] {
        fixture.knows(order).await;
        let numbers = vec![
            number("+61411111111", "1.00"),
            number("+61411111112", "1.00"),
        ];
        fixture
            .shows(order, secs, Some(subject("AU", numbers)))
            .await;
    }
    let no_text = fixture.pick("CAST(x'ff' AS TEXT)", "''");
    for spoilt in ["'{'", no_text, "'{\"region\":7}'"] {
        let spoil = format!("UPDATE order_details SET details = {spoilt} WHERE order_id = 1");
        fixture.spoil(&spoil).await;
        assert_eq!(fixture.listed(OrderFilter::default()).await, ["o1", "o2"]);
        let row = fixture.history("o1").await.order;
        assert_eq!(row.details, OrderDetails::default(), "{spoilt}");
    }
    fixture
        .shows("o1", 20, Some(subject("SE", Vec::new())))
        .await;
    let row = fixture.history("o1").await.order;
    assert_eq!(
        row.details,
        subject("SE", Vec::new()),
        "an answer repairs the subject"
    );
}

suite!(
    a_subject_is_kept_as_it_was_last_shown,
    an_order_may_have_thousands_of_numbers,
    an_order_is_found_by_any_part_of_a_number_and_by_its_region,
    orders_are_listed_by_change_alert_and_age,
    deliveries_are_listed_by_order_decision_phase_and_time,
    deliveries_about_no_order_are_listed_by_decision,
    a_spoilt_subject_hides_no_order,
);
